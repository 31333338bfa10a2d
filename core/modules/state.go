package modules

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ptorbus/zester/core/files"
	"github.com/ptorbus/zester/core/settings"
	"github.com/ptorbus/zester/core/states"
)

// runParams are the arguments of everything that compiles states.
var runParams = []Param{
	{Name: "test", Kind: states.Bool, Doc: "only say what would change"},
	{Name: "settings", Aliases: []string{"pillar"}, Kind: states.Map, Doc: "settings to lay over the peel's own for this run"},
	{Name: "exclude", Doc: "SLS files to leave out, also separated by commas; {id: name} and {sls: name} too"},
	{Name: "saltenv", Kind: states.Text, Doc: "environment to take files from; by default the peel's own, else all for the highstate and base for SLS files"},
	settingsEnv[0],
	{Name: "parallel", Kind: states.Int, Doc: "how many independent states run side by side"},
	{Name: "failhard", Kind: states.Bool, Doc: "stop at the first failed state"},
	{Name: "queue", Kind: states.Bool, Doc: "false refuses to wait while another state run is going on"},
}

func withRunParams(own ...Param) []Param { return append(own, runParams...) }

func registerState(r *Registry) {
	mods := Param{Name: "mods", Kind: states.List, Doc: "names of SLS files, also separated by commas; none is the highstate"}
	required := mods
	required.Required, required.Doc = true, "names of SLS files, also separated by commas"
	tests := func(args Args) bool { return args.Bool("test") }
	never := func(Args) bool { return true }
	add := func(name, doc string, params []Param, reads func(Args) bool, run func(context.Context, *Env, Args) (any, error)) {
		r.Register(&Function{Name: "state." + name, Doc: doc, Params: params, Mutates: !reads(Args{}), Reads: reads, Run: prepared("state."+name, run)})
	}
	add("apply", "Apply SLS files, or the highstate.", withRunParams(mods), tests, applyMods)
	add("highstate", "Apply what the top file assigns to this peel.", withRunParams(), tests, applyMods)
	add("sls", "Apply SLS files.", withRunParams(required), tests, applyMods)
	add("test", "Say what applying SLS files, or the highstate, would change.", withRunParams(mods), never,
		func(ctx context.Context, env *Env, args Args) (any, error) {
			args["test"] = true
			return applyMods(ctx, env, args)
		})
	add("sls_id", "Apply one id of SLS files, with what it requires.", withRunParams(
		Param{Name: "id", Kind: states.Text, Required: true, Doc: "the id"}, required), tests, applyID)
	single := withRunParams(
		Param{Name: "fun", Kind: states.Text, Required: true, Doc: "module.function of a state"},
		Param{Name: "name", Kind: states.Text, Required: true, Doc: "its name"})
	r.Register(&Function{Name: "state.single", Doc: "Apply one state that is written in no file.", Params: single, Open: true,
		Mutates: true, Reads: tests, Run: prepared("state.single", applySingle)})
	show := func(name, doc string, params []Param, what func(*states.Plan) any) {
		add(name, doc, params, never, func(ctx context.Context, env *Env, args Args) (any, error) {
			plan, err := compileMods(ctx, env, args)
			if err != nil {
				return nil, err
			}
			return what(plan), nil
		})
	}
	high := func(p *states.Plan) any { return p.High() }
	low := func(p *states.Plan) any { return p.Low() }
	show("show_sls", "Return the ids that SLS files declare.", withRunParams(required), high)
	show("show_low_sls", "Return the states of SLS files in the order in which they run.", withRunParams(required), low)
	show("show_highstate", "Return the ids that the highstate declares.", withRunParams(), high)
	show("show_lowstate", "Return the states of the highstate in the order in which they run.", withRunParams(), low)
	show("show_states", "Return the SLS files that the highstate takes states from.", withRunParams(), func(p *states.Plan) any { return texts(p.SLS()) })
	add("show_top", "Return the SLS files that the top files assign to this peel, by environment.", withRunParams(), never,
		func(ctx context.Context, env *Env, args Args) (any, error) {
			assigned, err := NewRunner(env, runOptions(args)).Top(ctx)
			if err != nil {
				return nil, err
			}
			top := settings.NewMap(len(assigned))
			for _, a := range assigned {
				top.Set(a.Env, texts(a.SLS))
			}
			return top, nil
		})
	top := Param{Name: "topfn", Kind: states.Text, Required: true, Doc: "path of the top file in the tree"}
	add("top", "Apply what another top file than the usual assigns to this peel.", withRunParams(top), tests, applyMods)
	ids := Param{Name: "ids", Kind: states.List, Required: true, Doc: "ids, also separated by commas"}
	add("id_exists", "Return whether SLS files declare all of these ids.", withRunParams(ids, required), never,
		func(ctx context.Context, env *Env, args Args) (any, error) {
			plan, err := compileMods(ctx, env, args)
			if err != nil {
				return nil, err
			}
			return !slices.ContainsFunc(split(args.Strings("ids")), func(id string) bool { return !plan.Has(id) }), nil
		})
	add("sls_exists", "Return whether an SLS file is there and compiles.", withRunParams(required), never,
		func(ctx context.Context, env *Env, args Args) (any, error) {
			_, err := compileMods(ctx, env, args)
			var compile *states.CompileError
			if errors.As(err, &compile) {
				return false, nil
			}
			return err == nil, err
		})
}

// RunOptions are what one state run is asked for beside its SLS files.
type RunOptions struct {
	Test       bool
	Settings   map[string]any // laid over the peel's own
	Exclude    []string       // SLS files
	ExcludeIDs []string
	Saltenv    string // empty is the peel's own
	Top        string // path of the top file, if not the usual one
	Parallel   int
	Failhard   bool
	// Progress is told of each state as it ends.
	Progress func(states.StateResult)
}

// NewRunner returns a state runner over env: its tree, its functions, its facts and settings.
func NewRunner(env *Env, opts RunOptions) *states.Runner {
	if opts.Settings != nil {
		merged := settings.Merge(env.pillar(), settings.FromPlain(opts.Settings))
		own := *env
		own.Settings = func() *settings.Map { return merged }
		env = &own
	}
	chosen := cmp.Or(opts.Saltenv, env.Saltenv)
	saltenv := cmp.Or(chosen, files.Base)
	vars := TemplateVars(env, map[string]any{
		"saltenv": saltenv, "env": saltenv,
		"opts": map[string]any{"id": env.PeelID, "test": opts.Test, "saltenv": saltenv},
	})
	return states.New(states.Options{
		Registry: States(env), Tree: listed(env.Tree), Render: env.Engine, Test: opts.Test, Env: chosen, Top: opts.Top,
		Exclude: opts.Exclude, ExcludeIDs: opts.ExcludeIDs,
		Parallel: opts.Parallel, Failhard: opts.Failhard, Match: env.Match, Event: publicEvents(env.Event), Progress: publicProgress(opts.Progress), Log: env.Log,
		Vars: func(string) map[string]any { return vars },
		Command: func(ctx context.Context, c states.Command) (int, error) {
			out, err := env.exec(ctx, command{
				line: c.Line, cwd: c.Cwd, runas: c.Runas, shell: c.Shell, umask: c.Umask, env: c.Env, timeout: c.Timeout,
			})
			return out.code, err
		},
		Call: func(ctx context.Context, name string, args []any, kwargs map[string]any) (any, error) {
			value, err := env.registry().Call(ctx, env, name, args, kwargs)
			var failure *Failure
			if errors.As(err, &failure) {
				return false, nil
			}
			return value, err
		},
	})
}

// source lists a files.Source by name for the runner.
type source struct{ files.Source }

func (s source) Names(ctx context.Context) ([]string, error) {
	infos, err := s.List(ctx, ".")
	if err != nil {
		return nil, err
	}
	names := make([]string, len(infos))
	for i, info := range infos {
		names[i] = info.Path
	}
	return names, nil
}

// Environments implements states.Environmental.
func (s source) Environments(ctx context.Context) ([]string, error) {
	if tree, ok := s.Source.(states.Environmental); ok {
		return tree.Environments(ctx)
	}
	return nil, nil
}

func listed(tree states.Loader) states.Loader {
	if _, ok := tree.(states.Lister); ok {
		return tree
	}
	if s, ok := tree.(files.Source); ok {
		return source{s}
	}
	return tree
}

// prepared waits for the turn of a run that changes the host, and makes a tree that moves on stand still for the run.
func prepared(name string, run func(context.Context, *Env, Args) (any, error)) func(context.Context, *Env, Args) (any, error) {
	return func(ctx context.Context, env *Env, args Args) (any, error) {
		if env.Tree == nil || env.Engine == nil {
			return nil, errors.New("there is no states tree")
		}
		if err := checkPillarenv(args); err != nil {
			return nil, named(name, err)
		}
		if env.registry().Mutating(name, nil, args) {
			queue := !args.Has("queue") || args.Bool("queue")
			turn, err := takeTurn(ctx, env, StateRun{Function: name, SLS: split(args.Strings("mods"))}, queue)
			if err != nil {
				return nil, err
			}
			defer turn.end()
			ctx = context.WithValue(ctx, turnKey{}, turn)
		}
		if tree, ok := env.Tree.(*files.Tree); ok {
			var err error
			if ctx, err = tree.Pin(ctx); err != nil {
				return nil, err
			}
		}
		return run(ctx, env, args)
	}
}

func runOptions(args Args) RunOptions {
	sls, ids := exclusions(args["exclude"])
	return RunOptions{
		Test: args.Bool("test"), Settings: args.Map("settings"), Exclude: sls, ExcludeIDs: ids,
		Saltenv: args.Text("saltenv"), Top: args.Text("topfn"), Parallel: int(args.Int("parallel")), Failhard: args.Bool("failhard"),
	}
}

// exclusions are the SLS names and the ids of an exclude argument: text is an SLS name, {id: x} an id.
func exclusions(value any) (sls, ids []string) {
	list, ok := value.([]any)
	if !ok && value != nil {
		list = []any{value}
	}
	for _, item := range list {
		m, ok := item.(map[string]any)
		if !ok {
			sls = append(sls, split([]string{fmt.Sprint(item)})...)
			continue
		}
		if id, ok := m["id"]; ok {
			ids = append(ids, fmt.Sprint(id))
		}
		if name, ok := m["sls"]; ok {
			sls = append(sls, fmt.Sprint(name))
		}
	}
	return sls, ids
}

// split takes apart names that were given with commas between them.
func split(list []string) []string {
	var out []string
	for _, item := range list {
		for name := range strings.SplitSeq(item, ",") {
			if name = strings.TrimSpace(name); name != "" {
				out = append(out, name)
			}
		}
	}
	return out
}

func compileMods(ctx context.Context, env *Env, args Args) (*states.Plan, error) {
	return compileWith(ctx, NewRunner(env, runOptions(args)), args)
}

func compileWith(ctx context.Context, runner *states.Runner, args Args) (*states.Plan, error) {
	mods := split(args.Strings("mods"))
	if len(mods) == 0 || slices.Equal(mods, []string{"highstate"}) {
		return runner.Highstate(ctx)
	}
	return runner.Compile(ctx, mods)
}

func applyMods(ctx context.Context, env *Env, args Args) (any, error) {
	plan, err := compileMods(ctx, env, args)
	if err != nil {
		return nil, err
	}
	return applyPlan(ctx, env, plan)
}

func applyID(ctx context.Context, env *Env, args Args) (any, error) {
	plan, err := compileMods(ctx, env, args)
	if err != nil {
		return nil, err
	}
	if plan, err = plan.Only(args.Text("id")); err != nil {
		return nil, err
	}
	return applyPlan(ctx, env, plan)
}

func applySingle(ctx context.Context, env *Env, args Args) (any, error) {
	own := map[string]any{}
	for key, value := range args {
		if _, ok := states.FindParam(runParams, key); !ok && key != "fun" && key != "name" {
			own[key] = value
		}
	}
	plan, err := NewRunner(env, runOptions(args)).Single(ctx, args.Text("fun"), args.Text("name"), own)
	if err != nil {
		return nil, err
	}
	return applyPlan(ctx, env, plan)
}

// maxReport keeps a report that goes over the bus within what a job can return, 1 MiB with its wrapping.
const maxReport = 900 << 10

// applyPlan runs a plan and returns its report, in a *Failure if any state failed.
func applyPlan(ctx context.Context, env *Env, plan *states.Plan) (any, error) {
	report := plan.Run(ctx)
	for i := range report.States {
		publicResult(&report.States[i])
	}
	limit := maxReport
	if env.Local {
		limit = 0
	}
	data := report.Fit(limit)
	if !report.Failed() {
		return data, nil
	}
	summary := data["summary"].(map[string]any)
	msg := fmt.Sprintf("%d of %d states failed", summary["failed"], summary["total"])
	if blocked := summary["blocked"].(int64); blocked > 0 {
		msg += fmt.Sprintf(", which kept %d from running", blocked)
	}
	return nil, &Failure{Value: data, Code: 2, Msg: msg}
}
