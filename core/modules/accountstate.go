package modules

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ptorbus/zester/core/states"
)

// accountStates are the user.* and group.* state functions.
func accountStates(env *Env) []*states.Function {
	s := &accounts{env: env}
	nameOnly := Param{Name: "name", Kind: states.Text, Doc: "the name"}
	local := Param{Name: "local", Kind: states.Bool, Doc: "accepted; only local users and groups are made"}
	days := func(name, doc string) Param { return Param{Name: name, Kind: states.Int, Doc: doc} }
	return []*states.Function{
		hostState(env, states.Function{Name: "user.present", Doc: "Make a user be there, as described.", Mutex: "accounts", Params: []Param{
			nameOnly, local,
			{Name: "uid", Kind: states.Int, Doc: "number of the user"},
			{Name: "gid", Kind: states.Text, Doc: "main group, by name or number"},
			{Name: "gid_from_name", Kind: states.Bool, Doc: "the main group is that of the user's name"},
			{Name: "usergroup", Kind: states.Bool, Doc: "make a group of the user's name for the main one"},
			{Name: "groups", Kind: states.List, Doc: "further groups"},
			{Name: "optional_groups", Kind: states.List, Doc: "further groups, where they are there"},
			{Name: "remove_groups", Kind: states.Bool, Default: true, Doc: "take the user out of groups that are not named"},
			{Name: "home", Kind: states.Text, Doc: "home directory"},
			{Name: "createhome", Kind: states.Bool, Default: true, Doc: "make the home directory"},
			{Name: "shell", Kind: states.Text, Doc: "login shell"},
			{Name: "password", Kind: states.Text, Doc: "hash of the password, as /etc/shadow has it"},
			{Name: "enforce_password", Kind: states.Bool, Default: true, Doc: "false leaves the password of a user who has one"},
			{Name: "empty_password", Kind: states.Bool, Doc: "let the user in without a password"},
			{Name: "hash_password", Kind: states.Bool, Doc: "password is the password itself, to be hashed; better give its hash"},
			{Name: "system", Kind: states.Bool, Doc: "make a new user one of the system"},
			{Name: "unique", Kind: states.Bool, Default: true, Doc: "false lets a new user have the number of another"},
			{Name: "fullname", Kind: states.Text, Doc: "full name"},
			{Name: "roomnumber", Kind: states.Text, Doc: "room"},
			{Name: "workphone", Kind: states.Text, Doc: "telephone at work"},
			{Name: "homephone", Kind: states.Text, Doc: "telephone at home"},
			{Name: "other", Kind: states.Text, Doc: "more about the user"},
			{Name: "allow_uid_change", Kind: states.Bool, Doc: "uid may be changed of a user who is there"},
			{Name: "allow_gid_change", Kind: states.Bool, Doc: "gid may be changed of a user who is there"},
			{Name: "nologinit", Kind: states.Bool, Doc: "do not add a new user to lastlog and faillog"},
			days("date", "days since 1970 of the last change of the password"), days("mindays", "days before a password can be changed"),
			days("maxdays", "days after which a password must be changed"), days("warndays", "days of warning before that"),
			days("inactdays", "days after that before the account is locked"), days("expire", "days since 1970 when the account ends, -1 for never"),
		}}, s.userPresent),
		hostState(env, states.Function{Name: "user.absent", Doc: "Remove a user.", Mutex: "accounts", Params: []Param{
			nameOnly, local,
			{Name: "purge", Kind: states.Bool, Doc: "remove the home directory too"},
			{Name: "force", Kind: states.Bool, Doc: "also a user who is logged in"},
		}}, s.userAbsent),
		hostState(env, states.Function{Name: "group.present", Doc: "Make a group be there, as described.", Mutex: "accounts", Params: []Param{
			nameOnly, local,
			{Name: "gid", Kind: states.Int, Doc: "number of the group"},
			{Name: "system", Kind: states.Bool, Doc: "make a new group one of the system"},
			{Name: "members", Kind: states.List, Doc: "exactly these users"},
			{Name: "addusers", Kind: states.List, Doc: "users to add"},
			{Name: "delusers", Kind: states.List, Doc: "users to take out"},
			{Name: "non_unique", Kind: states.Bool, Doc: "the number may be that of another group"},
		}}, s.groupPresent),
		hostState(env, states.Function{Name: "group.absent", Doc: "Remove a group.", Mutex: "accounts", Params: []Param{nameOnly, local}}, s.groupAbsent),
	}
}

// accounts are the user.* and group.* states of one run.
type accounts struct{ env *Env }

func (s *accounts) userPresent(ctx context.Context, call *states.Call) (states.Result, error) {
	args := call.Args
	if strings.ContainsAny(call.Name, ":\n,") || strings.HasPrefix(call.Name, "-") {
		return states.Result{}, fmt.Errorf("%q cannot be the name of a user", call.Name)
	}
	groups, warnings, err := s.wantedGroups(ctx, call)
	if err != nil {
		return states.Result{}, err
	}
	old, err := s.env.account(ctx, call.Name)
	if err != nil {
		return states.Result{}, err
	}
	if args.Bool("hash_password") && args.Text("password") != "" {
		have := ""
		if old != nil {
			have = old.password
		}
		hashed := *call
		hashed.Args = maps.Clone(args)
		hashed.Args["password"] = passwordHash(args.Text("password"), have)
		call = &hashed
	}
	var result states.Result
	if old == nil {
		result, err = s.addUser(ctx, call, groups)
	} else {
		result, err = s.changeUser(ctx, call, old, groups)
	}
	result.Warnings = append(result.Warnings, warnings...)
	return result, err
}

// wantedGroups are the groups that the user is to be in. In a test run one that is not there may be about to be made.
func (s *accounts) wantedGroups(ctx context.Context, call *states.Call) (names, warnings []string, err error) {
	for _, name := range call.Args.Strings("groups") {
		g, err := s.env.usergroup(ctx, name)
		switch {
		case err != nil:
			return nil, nil, err
		case g == nil && !call.Test:
			return nil, nil, fmt.Errorf("there is no group %q: make it with a group.present that this state requires", name)
		case g == nil:
			warnings = append(warnings, fmt.Sprintf("there is no group %q yet", name))
		}
		names = append(names, name)
	}
	for _, name := range call.Args.Strings("optional_groups") {
		g, err := s.env.usergroup(ctx, name)
		if err != nil {
			return nil, nil, err
		}
		if g != nil && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, warnings, nil
}

// mainGroup is the gid argument as a number; -1 if there is none. In a test run an unknown one is -1 too.
func (s *accounts) mainGroup(ctx context.Context, call *states.Call) (int, error) {
	name := call.Args.Text("gid")
	if call.Args.Bool("gid_from_name") {
		name = call.Name
	}
	if name == "" {
		return -1, nil
	}
	if gid, err := strconv.Atoi(name); err == nil {
		return gid, nil
	}
	g, err := s.env.usergroup(ctx, name)
	switch {
	case err != nil:
		return -1, err
	case g == nil && call.Test:
		return -1, nil
	case g == nil:
		return -1, fmt.Errorf("there is no group %q for gid: make it with a group.present that this state requires", name)
	}
	return g.gid, nil
}

func (s *accounts) addUser(ctx context.Context, call *states.Call, groups []string) (states.Result, error) {
	args := call.Args
	gid, err := s.mainGroup(ctx, call)
	if err != nil {
		return states.Result{}, err
	}
	changes := map[string]any{"user": "new"}
	for _, key := range append([]string{"uid", "gid", "home", "shell"}, gecosFields[:]...) {
		if args.Has(key) {
			changes[key] = args[key]
		}
	}
	if len(groups) > 0 {
		changes["groups"] = texts(groups)
	}
	if call.Test {
		return call.Changed(changes, fmt.Sprintf("User %s is set to be added", call.Name)), nil
	}
	words := []string{"useradd"}
	flag := func(on bool, flags ...string) {
		if on {
			words = append(words, flags...)
		}
	}
	flag(args.Has("uid"), "-u", strconv.FormatInt(args.Int("uid"), 10))
	flag(args.Has("uid") && !args.Bool("unique"), "-o")
	flag(gid >= 0, "-g", strconv.Itoa(gid))
	flag(gid < 0 && args.Bool("usergroup"), "-U")
	flag(gid >= 0 || args.Has("usergroup") && !args.Bool("usergroup"), "-N")
	flag(len(groups) > 0, "-G", strings.Join(groups, ","))
	flag(args.Text("home") != "", "-d", args.Text("home"))
	flag(args.Text("shell") != "", "-s", args.Text("shell"))
	flag(args.Bool("system"), "-r")
	flag(args.Bool("nologinit"), "-l")
	if home := args.Bool("createhome"); home {
		words = append(words, "-m")
	} else {
		words = append(words, "-M")
	}
	if gecos := wantedGecos(&account{}, args); gecos != "" {
		words = append(words, "-c", gecos)
	}
	if _, err := s.env.must(ctx, append(words, "--", call.Name)...); err != nil {
		return states.Result{}, err
	}
	made, err := s.env.account(ctx, call.Name)
	if err != nil || made == nil {
		return states.Result{Changes: changes}, errors.Join(err, fmt.Errorf("useradd has made no user %q", call.Name))
	}
	password := map[string]any{}
	if err := s.setPassword(ctx, call, made, password, true); err != nil {
		return states.Result{Changes: changes}, err
	}
	if err := s.setAges(ctx, call, made, password, true); err != nil {
		return states.Result{Changes: changes}, err
	}
	names, own, err := s.env.memberships(ctx, made)
	if err != nil {
		return states.Result{Changes: changes}, err
	}
	changes = made.describe(names, own)
	changes["user"] = "new"
	if args.Text("password") != "" {
		changes["passwd"] = redacted
	}
	return call.Changed(changes, fmt.Sprintf("New user %s created", call.Name)), nil
}

// redacted stands in changes for what nobody should read. In one piece it would look like a mark of unfinished work.
const redacted = "XX" + "X-REDACTED-XX" + "X"

// wantedGecos is the comment of a user with the parts that the arguments name.
func wantedGecos(old *account, args Args) string {
	parts := old.gecosParts()
	for i, field := range gecosFields {
		if args.Has(field) {
			parts[i] = args.Text(field)
		}
	}
	return strings.TrimRight(strings.Join(parts[:], ","), ",")
}

func (s *accounts) changeUser(ctx context.Context, call *states.Call, old *account, groups []string) (states.Result, error) {
	args, changes := call.Args, map[string]any{}
	words := []string{"usermod"}
	change := func(key string, before, after any, flags ...string) {
		changes[key] = was(before, after)
		words = append(words, flags...)
	}
	if uid := args.Int("uid"); args.Has("uid") && int(uid) != old.uid {
		if !args.Bool("allow_uid_change") {
			return states.Result{}, fmt.Errorf("user %q has uid %d, not %d: allow_uid_change: true changes it", call.Name, old.uid, uid)
		}
		change("uid", int64(old.uid), uid, "-u", strconv.FormatInt(uid, 10))
	}
	gid, err := s.mainGroup(ctx, call)
	if err != nil {
		return states.Result{}, err
	}
	if gid >= 0 && gid != old.gid {
		if !args.Bool("allow_gid_change") {
			return states.Result{}, fmt.Errorf("user %q has gid %d, not %d: allow_gid_change: true changes it", call.Name, old.gid, gid)
		}
		change("gid", int64(old.gid), int64(gid), "-g", strconv.Itoa(gid))
	}
	if home := strings.TrimRight(args.Text("home"), "/"); home != "" && home != strings.TrimRight(old.home, "/") {
		change("home", old.home, home, "-d", home)
	}
	if shell := args.Text("shell"); shell != "" && shell != old.shell {
		change("shell", old.shell, shell, "-s", shell)
	}
	if gecos := wantedGecos(old, args); gecos != strings.TrimRight(old.gecos, ",") {
		parts := old.gecosParts()
		for i, field := range gecosFields {
			if args.Has(field) && args.Text(field) != parts[i] {
				changes[field] = was(parts[i], args.Text(field))
			}
		}
		words = append(words, "-c", gecos)
	}
	if args.Has("groups") || args.Has("optional_groups") {
		have, own, err := s.env.memberships(ctx, old)
		if err != nil {
			return states.Result{}, err
		}
		want := slices.DeleteFunc(slices.Clone(groups), func(name string) bool { return name == own })
		if !args.Bool("remove_groups") {
			want = slices.Compact(slices.Sorted(slices.Values(append(want, have...))))
		}
		if !slices.Equal(have, want) {
			change("groups", texts(have), texts(want), "-G", strings.Join(want, ","))
		}
	}
	flagged := len(words) > 1
	if err := s.setPassword(ctx, call, old, changes, false); err != nil {
		return states.Result{}, err
	}
	if err := s.setAges(ctx, call, old, changes, false); err != nil {
		return states.Result{}, err
	}
	return settle(call, changes, "User "+call.Name, func() error {
		if flagged {
			if _, err := s.env.must(ctx, append(words, "--", call.Name)...); err != nil {
				return err
			}
		}
		if err := s.setPassword(ctx, call, old, map[string]any{}, true); err != nil {
			return err
		}
		return s.setAges(ctx, call, old, map[string]any{}, true)
	})
}

// setPassword adds a wrong password to changes, and with apply sets it.
func (s *accounts) setPassword(ctx context.Context, call *states.Call, old *account, changes map[string]any, apply bool) error {
	want := call.Args.Text("password")
	none := slices.Contains([]string{"", "!", "!!", "*"}, old.password)
	switch {
	case call.Args.Bool("empty_password"):
		if old.password == "" {
			return nil
		}
		if changes["password"] = "removed"; apply {
			_, err := s.env.must(ctx, "passwd", "-d", call.Name)
			return err
		}
		return nil
	case want == "", want == old.password, !none && !call.Args.Bool("enforce_password"):
		return nil
	case strings.ContainsAny(want, ":\n"):
		return errors.New("password takes a hash as /etc/shadow has it, which has no colon")
	}
	if changes["password"] = redacted; apply {
		// Through standard input: others may see the arguments of a program.
		_, err := s.env.mustWith(ctx, call.Name+":"+want+"\n", "chpasswd", "-e")
		return err
	}
	return nil
}

// setAges adds to changes what is wrong about the ages of a password, and with apply sets it.
func (s *accounts) setAges(ctx context.Context, call *states.Call, old *account, changes map[string]any, apply bool) error {
	words := []string{"chage"}
	for _, age := range []struct{ key, have, flag string }{
		{"date", old.changed, "-d"}, {"mindays", old.min, "-m"}, {"maxdays", old.max, "-M"}, {"warndays", old.warn, "-W"},
		{"inactdays", old.inactive, "-I"}, {"expire", old.until, "-E"},
	} {
		if !call.Args.Has(age.key) {
			continue
		}
		want := strconv.FormatInt(call.Args.Int(age.key), 10)
		if want == age.have || want == "-1" && age.have == "" {
			continue
		}
		changes[age.key] = was(age.have, want)
		words = append(words, age.flag, want)
	}
	if !apply || len(words) == 1 {
		return nil
	}
	_, err := s.env.must(ctx, append(words, call.Name)...)
	return err
}

func (s *accounts) userAbsent(ctx context.Context, call *states.Call) (states.Result, error) {
	old, err := s.env.account(ctx, call.Name)
	if err != nil {
		return states.Result{}, err
	}
	if old == nil {
		return settled("User %s is not present", call.Name)
	}
	return settle(call, map[string]any{call.Name: "removed"}, "User "+call.Name, func() error {
		words := []string{"userdel"}
		if call.Args.Bool("purge") {
			words = append(words, "-r")
		}
		if call.Args.Bool("force") {
			words = append(words, "-f")
		}
		out, err := s.env.tool(ctx, "", append(words, "--", call.Name)...)
		// 12: the home directory, or the mail, could not be removed; userdel says so also where there was none.
		if err == nil && out.code != 0 && out.code != 12 {
			err = fmt.Errorf("userdel failed with exit code %d: %s", out.code, lastLines(out.stderr))
		}
		return err
	})
}
