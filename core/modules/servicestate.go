package modules

import (
	"context"
	"fmt"
	"time"

	"github.com/ptorbus/zester/core/states"
)

// serviceStates are the service.* state functions.
func serviceStates(env *Env) []*states.Function {
	s := &services{env}
	name := Param{Name: "name", Kind: states.Text, Doc: "the service"}
	common := []Param{
		name,
		{Name: "enable", Kind: states.Bool, Doc: "start it at boot, or not; as it is by default"},
		{Name: "no_block", Kind: states.Bool, Doc: "do not wait until it has started or stopped"},
		{Name: "unmask", Kind: states.Bool, Doc: "unmask it first"},
		{Name: "unmask_runtime", Kind: states.Bool, Doc: "unmask it first, where it is only masked until the next boot"},
		{Name: "timeout", Kind: states.Number, Doc: "accepted; the unit's own timeouts hold"},
		{Name: "reload", Kind: states.Bool, Doc: "when what it watches has changed, reload it and do not restart it"},
		{Name: "full_restart", Kind: states.Bool, Doc: "when what it watches has changed, stop and start it"},
		{Name: "force", Kind: states.Bool, Doc: "with reload: restart it where it cannot reload"},
		{Name: "init_delay", Kind: states.Number, Doc: "seconds to wait after it was started"},
		{Name: "sig", Kind: states.Text, Doc: "accepted; systemd knows what runs"},
	}
	runtime := Param{Name: "runtime", Kind: states.Bool, Doc: "only until the next boot"}
	function := func(name, doc string, params []Param, apply, watch func(context.Context, *states.Call) (states.Result, error)) *states.Function {
		return hostState(env, states.Function{Name: "service." + name, Doc: doc, Params: params, Watch: watch, Mutex: "service"}, apply)
	}
	return []*states.Function{
		function("running", "Make a service run.", common, s.running, s.restart),
		function("dead", "Make a service not run.", common, s.dead, s.stopAgain),
		function("enabled", "Make a service start at boot.", []Param{name, common[3], common[4]}, s.enabledState, nil),
		function("disabled", "Make a service not start at boot.", []Param{name}, s.disabledState, nil),
		function("masked", "Make it impossible to start a service.", []Param{name, runtime}, s.maskedState, nil),
		function("unmasked", "Make it possible to start a service.", []Param{name, runtime}, s.unmaskedState, nil),
	}
}

type services struct{ env *Env }

// running is service.running.
func (s *services) running(ctx context.Context, call *states.Call) (states.Result, error) {
	u, err := s.env.unit(ctx, call.Name)
	if err != nil {
		return states.Result{}, err
	}
	if !u.exists() {
		if call.Test {
			return call.Changed(map[string]any{"running": was(false, true)}, fmt.Sprintf("There is no service %s yet; once there is, it would be started", call.Name)), nil
		}
		return states.Result{}, fmt.Errorf("there is no service %q", call.Name)
	}
	changes := map[string]any{}
	if !u.running() {
		changes["running"] = was(false, true)
	}
	if err := s.enableChange(ctx, call, u, changes); err != nil {
		return states.Result{}, err
	}
	unmask := u.masked() && (call.Args.Bool("unmask") || call.Args.Bool("unmask_runtime"))
	if unmask {
		changes["masked"] = was(true, false)
	} else if u.masked() && !u.running() {
		return states.Result{}, fmt.Errorf("service %q is masked: unmask: true unmasks it", call.Name)
	}
	return settle(call, changes, "Service "+call.Name, func() error {
		if unmask {
			if err := s.unmask(ctx, call, u); err != nil {
				return err
			}
		}
		if err := s.env.fresh(ctx, u); err != nil {
			return err
		}
		if changes["running"] != nil {
			if err := s.start(ctx, call, u); err != nil {
				return err
			}
		}
		return s.setEnabled(ctx, call, u, changes)
	})
}

func (s *services) enableChange(ctx context.Context, call *states.Call, u *unit, changes map[string]any) error {
	if !call.Args.Has("enable") {
		return nil
	}
	on, err := s.env.enabled(ctx, u)
	if want := call.Args.Bool("enable"); err == nil && on != want {
		changes["enabled"] = was(on, want)
	}
	return err
}

func (s *services) setEnabled(ctx context.Context, call *states.Call, u *unit, changes map[string]any) error {
	if changes["enabled"] == nil {
		return nil
	}
	verb := "disable"
	if call.Args.Bool("enable") {
		verb = "enable"
	}
	return s.env.systemctl(ctx, verb, "--", u.name)
}

func (s *services) unmask(ctx context.Context, call *states.Call, u *unit) error {
	words := []string{"unmask"}
	if call.Args.Bool("unmask_runtime") && !call.Args.Bool("unmask") {
		words = append(words, "--runtime")
	}
	return s.env.systemctl(ctx, append(words, "--", u.name)...)
}

// start starts a service and looks whether it stays.
func (s *services) start(ctx context.Context, call *states.Call, u *unit) error {
	words := []string{"start"}
	if call.Args.Bool("no_block") {
		words = append(words, "--no-block")
	}
	if err := s.env.systemctl(ctx, append(words, "--", u.name)...); err != nil {
		return s.why(ctx, u, err)
	}
	if delay := call.Args.Number("init_delay"); delay > 0 {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Duration(delay * float64(time.Second))):
		}
	}
	if call.Args.Bool("no_block") {
		return nil
	}
	after, err := s.env.unit(ctx, call.Name)
	if err != nil {
		return err
	}
	if !after.running() && after.kind != "oneshot" {
		return s.why(ctx, u, fmt.Errorf("service %q was started and does not run: systemd calls it %s", call.Name, after.active))
	}
	return nil
}

// why adds what the service said last.
func (s *services) why(ctx context.Context, u *unit, err error) error {
	if out, logErr := s.env.tool(ctx, "", "journalctl", "--no-pager", "-q", "-n", "5", "-o", "cat", "-u", u.name); logErr == nil && out.stdout != "" {
		return fmt.Errorf("%w\n%s", err, lastLines(out.stdout))
	}
	return err
}

// restart is what service.running does when a watched state has changed.
func (s *services) restart(ctx context.Context, call *states.Call) (states.Result, error) {
	if err := s.env.wholeHost(call); err != nil {
		return states.Result{}, err
	}
	u, err := s.env.unit(ctx, call.Name)
	if err != nil {
		return states.Result{}, err
	}
	verbs, past := []string{"restart"}, "restarted"
	switch {
	case !u.running():
		verbs, past = []string{"start"}, "started"
	case call.Args.Bool("reload") && call.Args.Bool("force"):
		verbs, past = []string{"reload-or-restart"}, "reloaded"
	case call.Args.Bool("reload"):
		verbs, past = []string{"reload"}, "reloaded"
	case call.Args.Bool("full_restart"):
		verbs = []string{"stop", "start"}
	}
	changes := map[string]any{call.Name: past}
	if call.Test {
		return call.Changed(changes, fmt.Sprintf("Service %s is set to be %s", call.Name, past)), nil
	}
	if err := s.env.fresh(ctx, u); err != nil {
		return states.Result{}, err
	}
	for _, verb := range verbs {
		if verb == "start" {
			err = s.start(ctx, call, u)
		} else if err = s.env.systemctl(ctx, verb, "--", u.name); err != nil {
			err = s.why(ctx, u, err)
		}
		if err != nil {
			return states.Result{}, err
		}
	}
	return call.Changed(changes, fmt.Sprintf("Service %s %s", call.Name, past)), nil
}

// dead is service.dead.
func (s *services) dead(ctx context.Context, call *states.Call) (states.Result, error) {
	u, err := s.env.unit(ctx, call.Name)
	if err != nil {
		return states.Result{}, err
	}
	if !u.exists() && !u.running() {
		return settled("There is no service %s, so it does not run", call.Name)
	}
	changes := map[string]any{}
	if u.running() {
		changes["running"] = was(true, false)
	}
	if err := s.enableChange(ctx, call, u, changes); err != nil {
		return states.Result{}, err
	}
	return settle(call, changes, "Service "+call.Name, func() error {
		if err := s.env.fresh(ctx, u); err != nil {
			return err
		}
		if changes["running"] != nil {
			words := []string{"stop"}
			if call.Args.Bool("no_block") {
				words = append(words, "--no-block")
			}
			if err := s.env.systemctl(ctx, append(words, "--", u.name)...); err != nil {
				return err
			}
		}
		return s.setEnabled(ctx, call, u, changes)
	})
}

// stopAgain is what service.dead does when a watched state has changed: nothing runs, and nothing has to.
func (s *services) stopAgain(ctx context.Context, call *states.Call) (states.Result, error) {
	return s.dead(ctx, call)
}

func (s *services) enabledState(ctx context.Context, call *states.Call) (states.Result, error) {
	return s.bootState(ctx, call, true)
}

func (s *services) disabledState(ctx context.Context, call *states.Call) (states.Result, error) {
	return s.bootState(ctx, call, false)
}

func (s *services) bootState(ctx context.Context, call *states.Call, want bool) (states.Result, error) {
	u, err := s.env.unit(ctx, call.Name)
	if err != nil {
		return states.Result{}, err
	}
	if !u.exists() {
		switch {
		case !want:
			return settled("There is no service %s, so it is not enabled", call.Name)
		case call.Test:
			return call.Changed(map[string]any{"enabled": was(false, true)}, fmt.Sprintf("There is no service %s yet; once there is, it would be enabled", call.Name)), nil
		}
		return states.Result{}, fmt.Errorf("there is no service %q", call.Name)
	}
	// The same path as with running: enable is what this state is called.
	one := *call
	one.Args = Args{"enable": want}
	changes := map[string]any{}
	if err := s.enableChange(ctx, &one, u, changes); err != nil {
		return states.Result{}, err
	}
	unmask := want && u.masked() && (call.Args.Bool("unmask") || call.Args.Bool("unmask_runtime"))
	return settle(call, changes, "Service "+call.Name, func() error {
		if unmask {
			if err := s.unmask(ctx, call, u); err != nil {
				return err
			}
		}
		return s.setEnabled(ctx, &one, u, changes)
	})
}

func (s *services) maskedState(ctx context.Context, call *states.Call) (states.Result, error) {
	return s.maskState(ctx, call, true)
}

func (s *services) unmaskedState(ctx context.Context, call *states.Call) (states.Result, error) {
	return s.maskState(ctx, call, false)
}

func (s *services) maskState(ctx context.Context, call *states.Call, want bool) (states.Result, error) {
	u, err := s.env.unit(ctx, call.Name)
	if err != nil {
		return states.Result{}, err
	}
	changes := map[string]any{}
	if u.masked() != want {
		changes["masked"] = was(!want, want)
	}
	return settle(call, changes, "Service "+call.Name, func() error {
		words := []string{map[bool]string{true: "mask", false: "unmask"}[want]}
		if call.Args.Bool("runtime") {
			words = append(words, "--runtime")
		}
		return s.env.systemctl(ctx, append(words, "--", u.name)...)
	})
}
