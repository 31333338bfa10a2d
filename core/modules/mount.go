package modules

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/ptorbus/zester/core/states"
)

// mountStates are the mount.* state functions.
func mountStates(env *Env) []*states.Function {
	name := Param{Name: "name", Kind: states.Text, Doc: "where it is mounted"}
	config := Param{Name: "config", Kind: states.Text, Default: "/etc/fstab", Doc: "file that mounts it at boot"}
	persist := Param{Name: "persist", Kind: states.Bool, Default: true, Doc: "also at boot"}
	opts := Param{Name: "opts", Default: "defaults", Doc: "options, a list or with commas"}
	dump, pass := Param{Name: "dump", Kind: states.Int, Doc: "fifth field of the line"}, Param{Name: "pass_num", Kind: states.Int, Doc: "sixth field of the line"}
	mounted := []Param{
		name, config, persist, opts, dump, pass,
		{Name: "device", Kind: states.Text, Required: true, Doc: "device, UUID=, LABEL= or server:/path"},
		{Name: "fstype", Kind: states.Text, Required: true, Doc: "kind of file system"},
		{Name: "mkmnt", Kind: states.Bool, Doc: "make the directory"},
		{Name: "mount", Kind: states.Bool, Default: true, Doc: "false only writes the line"},
		{Name: "user", Kind: states.Text, Default: "root", Doc: "accepted; root mounts"},
		{Name: "match_on", Doc: "accepted; the line of this directory counts"},
		{Name: "extra_mount_invisible_options", Kind: states.List, Doc: "accepted; options are compared in the file"},
		{Name: "extra_mount_invisible_keys", Kind: states.List, Doc: "accepted"},
		{Name: "extra_mount_ignore_fs_keys", Doc: "accepted"},
		{Name: "extra_mount_translate_options", Doc: "accepted"},
		{Name: "hidden_opts", Doc: "accepted"},
		{Name: "device_name_regex", Doc: "accepted"},
	}
	function := func(name, doc string, params []Param, apply func(context.Context, *Env, *states.Call) (states.Result, error)) *states.Function {
		f := hostState(env, states.Function{Name: "mount." + name, Doc: doc, Params: params, Mutex: "mount"},
			func(ctx context.Context, call *states.Call) (states.Result, error) { return apply(ctx, env, call) })
		return f
	}
	on := function("mounted", "Make a file system be mounted, now and at boot.", mounted, mountedState)
	on.Watch = func(ctx context.Context, call *states.Call) (states.Result, error) {
		if err := env.wholeHost(call); err != nil {
			return states.Result{}, err
		}
		return settle(call, map[string]any{call.Name: "remounted"}, "Mount "+call.Name, func() error {
			_, err := env.must(ctx, "mount", "-o", "remount", "--", call.Name)
			return err
		})
	}
	return []*states.Function{
		on,
		function("unmounted", "Make nothing be mounted there.", []Param{name, config,
			{Name: "persist", Kind: states.Bool, Doc: "also take the line away"},
			{Name: "device", Kind: states.Text, Doc: "accepted"}, {Name: "user", Kind: states.Text, Doc: "accepted"}}, unmountedState),
		function("fstab_present", "Make a line be in fstab.", []Param{
			{Name: "name", Kind: states.Text, Doc: "the device"},
			{Name: "fs_file", Kind: states.Text, Required: true, Doc: "where it is mounted"},
			{Name: "fs_vfstype", Kind: states.Text, Required: true, Doc: "kind of file system"},
			{Name: "fs_mntops", Default: "defaults", Doc: "options"},
			{Name: "fs_freq", Kind: states.Int, Doc: "fifth field"}, {Name: "fs_passno", Kind: states.Int, Doc: "sixth field"},
			{Name: "config", Kind: states.Text, Default: "/etc/fstab", Doc: "the file"},
			{Name: "mount", Kind: states.Bool, Doc: "accepted; mount.mounted mounts"}}, fstabPresent),
		function("fstab_absent", "Make no line of a directory be in fstab.", []Param{
			{Name: "name", Kind: states.Text, Doc: "the device"},
			{Name: "fs_file", Kind: states.Text, Required: true, Doc: "where it is mounted"},
			{Name: "config", Kind: states.Text, Default: "/etc/fstab", Doc: "the file"}}, fstabAbsent),
	}
}

// optionText is an opts argument as one text.
func optionText(value any) string {
	if list, ok := value.([]any); ok {
		words := make([]string, len(list))
		for i, item := range list {
			words[i] = fmt.Sprint(item)
		}
		return strings.Join(words, ",")
	}
	return orElse(fmt.Sprint(value), "defaults")
}

// activeMount is the device that is mounted at a path last, "" if none is.
func activeMount(path string) (device string, mounted bool, err error) {
	data, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "", false, err
	}
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 3 && unescape.Replace(f[1]) == path {
			device, mounted = unescape.Replace(f[0]), true
		}
	}
	return device, mounted, nil
}

// sameDevice reports whether what is mounted is the device that is asked for, by any of its names.
func sameDevice(active, want string) bool {
	if active == want || !strings.HasPrefix(active, "/dev/") {
		return active == want || !strings.HasPrefix(want, "/") && !strings.Contains(want, ":") || strings.TrimRight(active, "/") == strings.TrimRight(want, "/")
	}
	for prefix, dir := range map[string]string{"UUID=": "by-uuid", "LABEL=": "by-label", "PARTUUID=": "by-partuuid", "PARTLABEL=": "by-partlabel"} {
		if name, ok := strings.CutPrefix(want, prefix); ok {
			want = filepath.Join("/dev/disk", dir, strings.Trim(name, `"`))
		}
	}
	a, errA := filepath.EvalSymlinks(active)
	b, errB := filepath.EvalSymlinks(want)
	if info, err := os.Stat(want); err == nil && info.Mode().IsRegular() {
		return true // a file, mounted through a loop device
	}
	return errA == nil && errB == nil && a == b
}

// fstabLine is a line with the fields escaped as fstab wants them.
func fstabLine(fields ...string) string {
	escape := strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`)
	for i := range fields {
		fields[i] = escape.Replace(fields[i])
	}
	return strings.Join(fields, "\t\t") + "\n"
}

// setFstab puts a line into the text, in place of that of the same directory; an empty line takes that away.
func setFstab(text, dir, line string) (after, was string) {
	var out strings.Builder
	found := false
	for old := range strings.Lines(text) {
		f := strings.Fields(old)
		if len(f) < 4 || strings.HasPrefix(f[0], "#") || strings.ReplaceAll(f[1], `\040`, " ") != dir {
			out.WriteString(old)
			continue
		}
		if was = strings.Join(f, " "); !found && line != "" {
			if slices.Equal(f, strings.Fields(line)) || slices.Equal(append(slices.Clone(f), "0", "0"), strings.Fields(line)) {
				out.WriteString(old)
			} else {
				out.WriteString(line)
			}
		}
		found = true
	}
	if !found && line != "" {
		return appended(out.String(), line), ""
	}
	return out.String(), was
}

func mountedState(ctx context.Context, env *Env, call *states.Call) (states.Result, error) {
	args, path := call.Args, filepath.Clean(call.Name)
	options, device := optionText(args["opts"]), args.Text("device")
	active, mounted, err := activeMount(path)
	if err != nil {
		return states.Result{}, err
	}
	if mounted && !sameDevice(active, device) && args.Bool("mount") {
		return states.Result{}, fmt.Errorf("%q is mounted from %q, not from %q: unmount it first", path, active, device)
	}
	changes := map[string]any{}
	if !mounted && args.Bool("mount") {
		changes["mount"] = true
	}
	at, before, err := env.textFile(args.Text("config"))
	if err != nil {
		return states.Result{}, err
	}
	after := before
	if args.Bool("persist") {
		line := fstabLine(device, path, args.Text("fstype"), options, strconv.FormatInt(args.Int("dump"), 10), strconv.FormatInt(args.Int("pass_num"), 10))
		old := ""
		if after, old = setFstab(before, path, line); after != before {
			changes["persist"] = was(public(old), public(strings.Join(strings.Fields(line), " ")))
		}
	}
	return settle(call, changes, "Mount "+path, func() error {
		if changes["mount"] != nil {
			if args.Bool("mkmnt") {
				if err := env.makeParents(filepath.Join(path, "x"), attributes{}); err != nil {
					return err
				}
			}
			if _, err := env.must(ctx, "mount", "-t", args.Text("fstype"), "-o", options, "--", device, path); err != nil {
				return err
			}
		}
		if after == before {
			return nil
		}
		if mounted && args.Bool("mount") { // first: what the file says already, the next run takes for done
			if _, err := env.must(ctx, "mount", "-o", "remount,"+options, "--", path); err != nil {
				return err
			}
		}
		return env.saveText(at, before, after, 0o644)
	})
}

func unmountedState(ctx context.Context, env *Env, call *states.Call) (states.Result, error) {
	path := filepath.Clean(call.Name)
	_, mounted, err := activeMount(path)
	if err != nil {
		return states.Result{}, err
	}
	if path == "/" {
		return states.Result{}, errors.New(`"/" cannot be unmounted`)
	}
	changes := map[string]any{}
	if mounted {
		changes["umount"] = true
	}
	at, before, err := env.textFile(call.Args.Text("config"))
	if err != nil {
		return states.Result{}, err
	}
	after := before
	if call.Args.Bool("persist") {
		old := ""
		if after, old = setFstab(before, path, ""); after != before {
			changes["persist"] = was(public(old), "")
		}
	}
	return settle(call, changes, "Mount "+path, func() error {
		if mounted {
			if _, err := env.must(ctx, "umount", "--", path); err != nil {
				return err
			}
		}
		if after == before {
			return nil
		}
		return env.saveText(at, before, after, 0o644)
	})
}

func fstabPresent(_ context.Context, env *Env, call *states.Call) (states.Result, error) {
	args := call.Args
	return editFstab(env, call, fstabLine(call.Name, args.Text("fs_file"), args.Text("fs_vfstype"), optionText(args["fs_mntops"]),
		strconv.FormatInt(args.Int("fs_freq"), 10), strconv.FormatInt(args.Int("fs_passno"), 10)))
}

func fstabAbsent(_ context.Context, env *Env, call *states.Call) (states.Result, error) {
	return editFstab(env, call, "")
}

func editFstab(env *Env, call *states.Call, line string) (states.Result, error) {
	at, before, err := env.textFile(call.Args.Text("config"))
	if err != nil {
		return states.Result{}, err
	}
	after, old := setFstab(before, call.Args.Text("fs_file"), line)
	changes := map[string]any{}
	if after != before {
		changes["persist"] = was(public(old), public(strings.Join(strings.Fields(line), " ")))
	}
	return settle(call, changes, call.Args.Text("config"), func() error { return env.saveText(at, before, after, 0o644) })
}
