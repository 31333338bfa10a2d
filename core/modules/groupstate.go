package modules

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ptorbus/zester/core/states"
)

func (s *accounts) groupPresent(ctx context.Context, call *states.Call) (states.Result, error) {
	args := call.Args
	if args.Has("members") && (args.Has("addusers") || args.Has("delusers")) {
		return states.Result{}, errors.New("members cannot be used together with addusers or delusers")
	}
	for _, name := range args.Strings("addusers") {
		if slices.Contains(args.Strings("delusers"), name) {
			return states.Result{}, fmt.Errorf("%q is in addusers and in delusers", name)
		}
	}
	old, err := s.env.usergroup(ctx, call.Name)
	if err != nil {
		return states.Result{}, err
	}
	changes := map[string]any{}
	var steps []func() error
	run := func(words ...string) {
		steps = append(steps, func() error { _, err := s.env.must(ctx, words...); return err })
	}
	gid := strconv.FormatInt(args.Int("gid"), 10)
	words := []string{"groupadd"}
	switch {
	case old == nil:
		changes["group"] = "new"
		if args.Bool("system") {
			words = append(words, "-r")
		}
		if args.Has("gid") {
			changes["gid"] = args.Int("gid")
			words = append(words, "-g", gid)
		}
		if args.Bool("non_unique") {
			words = append(words, "-o")
		}
		run(append(words, "--", call.Name)...)
		old = &usergroup{members: []string{}}
	case args.Has("gid") && int(args.Int("gid")) != old.gid:
		changes["gid"] = was(int64(old.gid), args.Int("gid"))
		run("groupmod", "-g", gid, "--", call.Name)
	}
	want := slices.Clone(old.members)
	if args.Has("members") {
		want = args.Strings("members")
	}
	want = slices.DeleteFunc(append(want, args.Strings("addusers")...), func(name string) bool { return slices.Contains(args.Strings("delusers"), name) })
	slices.Sort(want)
	if want = slices.Compact(want); !slices.Equal(want, old.members) {
		changes["members"] = was(texts(old.members), texts(want))
		for _, name := range want {
			if a, err := s.env.account(ctx, name); err != nil || a == nil && !call.Test {
				return states.Result{}, errors.Join(err, fmt.Errorf("there is no user %q: make it with a user.present that this state requires", name))
			}
		}
		run("gpasswd", "-M", strings.Join(want, ","), call.Name)
	}
	return settle(call, changes, "Group "+call.Name, func() error { return first(steps...) })
}

func (s *accounts) groupAbsent(ctx context.Context, call *states.Call) (states.Result, error) {
	old, err := s.env.usergroup(ctx, call.Name)
	if err != nil {
		return states.Result{}, err
	}
	if old == nil {
		return settled("Group %s is not present", call.Name)
	}
	return settle(call, map[string]any{call.Name: "removed"}, "Group "+call.Name, func() error {
		_, err := s.env.must(ctx, "groupdel", "--", call.Name)
		return err
	})
}
