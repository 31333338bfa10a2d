package client

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/ptorbus/zester/core/basket"
	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/facts"
	"github.com/ptorbus/zester/core/target"
)

type basketCommands struct {
	Get   basketGet   `cmd:"" help:"Print a function's values of the peels a target names."`
	List  basketList  `cmd:"" help:"Print everything one peel shares."`
	Watch basketWatch `cmd:"" help:"Print values and their changes as they come."`
	Rm    basketRm    `cmd:"" help:"Remove values; a peel that still shares them publishes them again when they change or it restarts."`
}

// resolver asks a master, and where none answers reads the facts of all peels itself.
type resolver struct {
	s      *session
	asking basket.Asking
}

func (s *session) reader() (*basket.Reader, error) {
	conn, err := s.connect()
	if err != nil {
		return nil, err
	}
	asking := basket.Asking{Conn: conn, Subject: bus.Order(s.operator, basket.Resolve)}
	return &basket.Reader{Conn: conn, Resolver: resolver{s, asking}}, nil
}

func (r resolver) Resolve(ctx context.Context, text string, live bool) ([]string, error) {
	ids, err := r.asking.Resolve(ctx, text, live)
	if !errors.Is(err, bus.ErrNoResponders) || live {
		return ids, err
	}
	t, perr := target.Parse(text)
	if perr != nil || t.UsesSettings() || len(t.Groups()) > 0 {
		return nil, err // only a master knows settings and groups
	}
	index, err := facts.Load(ctx, r.s.conn)
	if err != nil {
		return nil, err
	}
	return t.Resolve(index)
}

type basketGet struct {
	Target   string `arg:"" help:"Which peels."`
	Function string `arg:"" help:"Which value."`
	Live     bool   `help:"Leave out peels that are not connected."`
}

// Help is printed by --help.
func (*basketGet) Help() string {
	return `Examples:

	zester basket get web-01 network.ip_addrs
	zester basket get role:web network.ip_addrs --live
	zester basket get '*' disk.usage --format json

Values of peels that are gone are marked.`
}

func (c *basketGet) Run(s *session) error {
	r, err := s.reader()
	if err != nil {
		return err
	}
	entries, err := r.Get(s.ctx, basket.Query{Target: c.Target, Function: c.Function, Live: c.Live})
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		return c.nothing(s, r)
	}
	s.markGone(entries)
	return s.print.answer(entryData(entries, false), func() {
		for _, e := range entries {
			s.print.entry(e, e.Peel)
		}
	})
}

// nothing says what there would be instead of an empty answer.
func (c *basketGet) nothing(s *session, r *basket.Reader) error {
	all, err := r.All(s.ctx)
	if err != nil {
		return err
	}
	var peels, functions []string
	for _, e := range all {
		peels, functions = append(peels, e.Peel), append(functions, e.Function)
	}
	if !slices.Contains(functions, c.Function) {
		return fmt.Errorf("no peel shares %q%s", c.Function, config.DidYouMean(c.Function, functions))
	}
	hint := ""
	if !strings.ContainsAny(c.Target, "*?@: ") {
		hint = config.DidYouMean(c.Target, peels)
	}
	return fmt.Errorf("no peel that %q names shares %q%s", c.Target, c.Function, hint)
}

type basketList struct {
	Peel string `arg:"" help:"Peel id."`
}

func (c *basketList) Run(s *session) error {
	if bus.CheckPeelID(c.Peel) != nil {
		return fmt.Errorf("%q is no peel id: for the values of several peels use \"zester basket get TARGET FUNCTION\"", c.Peel)
	}
	r, err := s.reader()
	if err != nil {
		return err
	}
	entries, err := r.List(s.ctx, c.Peel)
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		all, err := r.All(s.ctx)
		if err != nil {
			return err
		}
		hint := ""
		if known, err := s.peels("L@" + c.Peel); err != nil || len(known) == 0 { // nobody, or a peel there is
			var peels []string
			for _, e := range all {
				peels = append(peels, e.Peel)
			}
			hint = config.DidYouMean(c.Peel, peels)
		}
		return fmt.Errorf("peel %q shares nothing%s", c.Peel, hint)
	}
	s.markGone(entries)
	return s.print.answer(entryData(entries, true), func() {
		for _, e := range entries {
			s.print.entry(e, e.Function)
		}
	})
}

// markGone marks values of peels that are not connected, if there is anyone to ask.
func (s *session) markGone(entries []basket.Entry) {
	list, err := s.peels("*")
	if err != nil {
		return
	}
	connected := map[string]bool{}
	for _, p := range list {
		connected[p.ID] = connected[p.ID] || p.Connected
	}
	basket.Mark(entries, func(id string) bool { return connected[id] })
}

func (p *printer) entry(e basket.Entry, title string) {
	note := ""
	if e.Gone {
		note = p.paint(red, fmt.Sprintf("  (gone; %s old)", e.Age(time.Now()).Round(time.Second)))
	}
	fmt.Fprintf(p.out, "%s%s\n", p.paint(cyan, title+":"), note)
	p.nested(e.Value, 4)
}

func entryData(entries []basket.Entry, byFunction bool) map[string]any {
	data := map[string]any{}
	now := time.Now()
	for _, e := range entries {
		plain := e.Plain(now)
		delete(plain, "peel_id")
		plain["age"] = math.Round(e.Age(now).Seconds())
		plain["gone"] = e.Gone
		if byFunction {
			data[e.Function] = plain
		} else {
			data[e.Peel] = plain
		}
	}
	return data
}

type basketWatch struct {
	Target   string `arg:"" help:"Which peels."`
	Function string `arg:"" help:"Which value."`
}

// Help is printed by --help.
func (*basketWatch) Help() string {
	return `Example:

	zester basket watch role:web network.ip_addrs

Ctrl-C ends it.`
}

func (c *basketWatch) Run(s *session) error {
	r, err := s.reader()
	if err != nil {
		return err
	}
	err = r.Watch(s.ctx, basket.Query{Target: c.Target, Function: c.Function}, func(change basket.Change) error {
		return s.print.change(change)
	})
	if s.ctx.Err() != nil { // Ctrl-C is how a watch ends
		return nil
	}
	return err
}

func (p *printer) change(c basket.Change) error {
	what := "published"
	switch {
	case c.Removed:
		what = "removed"
	case c.Initial:
		what = "current"
	}
	if p.format != "text" { // one document per change
		return p.line(map[string]any{
			"peel": c.Peel, "function": c.Function, "event": what, "value": c.Value, "updated": c.Updated.UTC().Format(time.RFC3339Nano),
		})
	}
	fmt.Fprintf(p.out, "%s %s %s\n", c.Updated.Local().Format("15:04:05.000"), p.paint(yellow, fmt.Sprintf("%-9s", what)), p.paint(cyan, c.Peel+":"))
	if !c.Removed {
		p.nested(c.Value, 4)
	}
	return nil
}

type basketRm struct {
	Target   string `arg:"" help:"Which peels."`
	Function string `arg:"" optional:"" help:"Which value; default all of them."`
}

func (c *basketRm) Run(s *session) error {
	r, err := s.reader()
	if err != nil {
		return err
	}
	var entries []basket.Entry
	if c.Function != "" {
		entries, err = r.Get(s.ctx, basket.Query{Target: c.Target, Function: c.Function})
	} else {
		entries, err = c.everything(s.ctx, r)
	}
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		return fmt.Errorf("nothing to remove: %q shares no such value (see \"zester basket list\")", c.Target)
	}
	removed := []any{}
	for _, e := range entries {
		if err = r.Remove(s.ctx, e); err != nil {
			break
		}
		removed = append(removed, map[string]any{"peel": e.Peel, "function": e.Function})
	}
	told := s.print.answer(removed, func() {
		for _, e := range entries[:len(removed)] {
			fmt.Fprintf(s.stdio.Out, "removed %s of %s\n", e.Function, e.Peel)
		}
	})
	return errors.Join(err, told)
}

// everything is all values of the peels a target names. It need not ask for facts when ids do.
func (c *basketRm) everything(ctx context.Context, r *basket.Reader) ([]basket.Entry, error) {
	t, err := target.Parse(c.Target)
	if err != nil {
		return nil, err
	}
	all, err := r.All(ctx)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, e := range all {
		ids = append(ids, e.Peel)
	}
	if t.IDOnly() {
		ids = t.ResolveIDs(ids)
	} else if ids, err = r.Resolver.Resolve(ctx, c.Target, false); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(e basket.Entry) bool {
		_, ok := slices.BinarySearch(ids, e.Peel)
		return !ok
	}), nil
}
