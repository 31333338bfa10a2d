package modules

import (
	"context"
	"fmt"
	"strings"

	"github.com/ptorbus/zester/core/states"
)

func registerLint(r *Registry) {
	r.Register(
		&Function{
			Name: "state.lint", Doc: "Return the mistakes in the whole tree, as this peel's facts compile it, and fail if there are any.",
			Run: prepared("state.lint", lint),
		},
		&Function{
			Name: "state.graph", Doc: "Return what the states of SLS files, or of the highstate, look at.",
			Params: []Param{
				{Name: "mods", Kind: states.List, Doc: "names of SLS files, also separated by commas; none is the highstate"},
				{Name: "format", Kind: states.Text, Default: "text", Doc: "text or dot"},
			},
			Run: prepared("state.graph", graph),
		},
	)
}

func lint(ctx context.Context, env *Env, _ Args) (any, error) {
	problems, err := NewRunner(env, RunOptions{Test: true}).Lint(ctx, LintCheck(env))
	if err != nil {
		return nil, err
	}
	list := make([]any, len(problems))
	for i, p := range problems {
		list[i] = map[string]any{"file": p.File, "line": int64(p.Line), "message": p.Msg}
	}
	if len(list) == 0 {
		return list, nil
	}
	return nil, &Failure{Value: list, Code: 1, Msg: count(len(list), "mistake") + " in the states tree"}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func graph(ctx context.Context, env *Env, args Args) (any, error) {
	plan, err := compileMods(ctx, env, args)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	switch format := args.Text("format"); format {
	case "text":
		err = plan.WriteText(&b)
	case "dot":
		err = plan.WriteDot(&b)
	default:
		err = fmt.Errorf("format %q is not text or dot", format)
	}
	return b.String(), err
}
