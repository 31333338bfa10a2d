package modules

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ptorbus/zester/core/states"
)

// sysctlFile is where settings of the kernel are kept, unless config says otherwise.
const sysctlFile = "/etc/sysctl.d/99-zester.conf"

func sysctlStates(env *Env) []*states.Function {
	return []*states.Function{hostState(env, states.Function{
		Name: "sysctl.present", Doc: "Set a setting of the kernel, now and at boot.", Mutex: "sysctl", Params: []Param{
			{Name: "name", Kind: states.Text, Doc: "the setting, such as net.ipv4.ip_forward"},
			{Name: "value", Required: true, Doc: "its value"},
			{Name: "config", Kind: states.Text, Doc: "file that sets it at boot, " + sysctlFile + " by default"},
		}}, func(_ context.Context, call *states.Call) (states.Result, error) { return sysctlPresent(env, call) })}
}

// sysctlPath is the file of a setting below /proc/sys. A dot in a name is a slash there, and a slash a dot.
func sysctlPath(name string) (string, error) {
	name = strings.NewReplacer(".", "/", "/", ".").Replace(name)
	if name == "" || !fs.ValidPath(name) {
		return "", fmt.Errorf("%q is not the name of a setting of the kernel", name)
	}
	return filepath.Join("/proc/sys", name), nil
}

func readSysctl(name string) (string, error) {
	path, err := sysctlPath(name)
	if err != nil {
		return "", err
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("the kernel has no setting %q", name)
	}
	return strings.TrimSpace(string(data)), err
}

func sysctlPresent(env *Env, call *states.Call) (states.Result, error) {
	want := strings.Join(strings.Fields(python(call.Args["value"])), " ")
	if call.Args["value"] == true || call.Args["value"] == false {
		want = map[any]string{true: "1", false: "0"}[call.Args["value"]]
	}
	have, err := readSysctl(call.Name)
	if err != nil && !call.Test {
		return states.Result{}, err
	}
	at, before, err := env.textFile(cmp.Or(call.Args.Text("config"), sysctlFile))
	if err != nil {
		return states.Result{}, err
	}
	after, kept := setSysctl(before, call.Name, want)
	changes := map[string]any{}
	if strings.Join(strings.Fields(have), " ") != want {
		changes[call.Name] = was(have, want)
	}
	if after != before {
		changes["config"] = was(kept, want)
	}
	return settle(call, changes, "Setting "+call.Name, func() error {
		if changes[call.Name] != nil {
			path, err := sysctlPath(call.Name)
			if err == nil {
				err = os.WriteFile(path, []byte(want+"\n"), 0o644)
			}
			if err != nil {
				return err
			}
		}
		if after == before {
			return nil
		}
		return env.saveText(at, before, after, 0o644)
	})
}

// setSysctl sets a setting in the text of a file, and returns what the text set it to.
func setSysctl(text, name, value string) (after, kept string) {
	var out strings.Builder
	found := false
	for line := range strings.Lines(text) {
		key, old, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || strings.HasPrefix(key, "#") || strings.HasPrefix(key, ";") || strings.TrimSpace(strings.TrimPrefix(key, "-")) != name {
			out.WriteString(line)
			continue
		}
		kept = strings.TrimSpace(old)
		switch same := strings.Join(strings.Fields(kept), " ") == value; {
		case found:
		case same:
			out.WriteString(line)
		default:
			out.WriteString(name + " = " + value + "\n")
		}
		found = true
	}
	if !found {
		return appended(out.String(), name+" = "+value+"\n"), ""
	}
	return out.String(), kept
}
