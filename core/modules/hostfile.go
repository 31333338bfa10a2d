package modules

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/ptorbus/zester/core/states"
)

// textFile reads a text file of the host that states edit; one that is not there is empty.
func (env *Env) textFile(path string) (place, string, error) {
	at, err := env.locate(path, true)
	if err != nil || at.info == nil {
		return at, "", err
	}
	if !at.info.Mode().IsRegular() {
		return at, "", fmt.Errorf("%q is not a regular file", at.path)
	}
	data, err := os.ReadFile(at.path)
	return at, string(data), err
}

// saveText writes an edited file, with mode if it is new.
func (env *Env) saveText(at place, before, after string, mode fs.FileMode) error {
	own := attributes{}
	if at.info == nil {
		own.mode = &mode
	}
	return (&fileStates{env: env}).rewrite(at, before, after, own, Args{"makedirs": true})
}

// hostStates are the host.* state functions, for /etc/hosts.
func hostStates(env *Env) []*states.Function {
	name := Param{Name: "name", Kind: states.Text, Doc: "the host name"}
	function := func(name, doc string, edit func(h *hostLines, call *states.Call) error, params ...Param) *states.Function {
		return &states.Function{Name: "host." + name, Doc: doc, Params: params, Mutex: "hosts",
			Apply: func(_ context.Context, call *states.Call) (states.Result, error) { return editHosts(env, call, edit) }}
	}
	return []*states.Function{
		function("present", "Make a host name have addresses in /etc/hosts.", (*hostLines).present, name,
			Param{Name: "ip", Kind: states.List, Required: true, Doc: "the addresses"},
			Param{Name: "comment", Kind: states.Text, Doc: "comment at the end of the line"},
			Param{Name: "clean", Kind: states.Bool, Doc: "take the name away from all other addresses"}),
		function("absent", "Take addresses away from a host name in /etc/hosts.", (*hostLines).absent, name,
			Param{Name: "ip", Kind: states.List, Doc: "the addresses, all by default"}),
		function("only", "Make an address have only these host names in /etc/hosts.", (*hostLines).only,
			Param{Name: "name", Kind: states.Text, Doc: "the address"},
			Param{Name: "hostnames", Kind: states.List, Required: true, Doc: "the host names"}),
	}
}

func editHosts(env *Env, call *states.Call, edit func(h *hostLines, call *states.Call) error) (states.Result, error) {
	path, _ := env.config()["hosts.file"].(string)
	at, before, err := env.textFile(cmp.Or(path, "/etc/hosts"))
	if err != nil {
		return states.Result{}, err
	}
	h := &hostLines{changes: map[string]any{}}
	for line := range strings.Lines(before) {
		h.lines = append(h.lines, parseHostLine(line))
	}
	for _, word := range append(call.Args.Strings("hostnames"), call.Name) {
		if word == "" || strings.ContainsAny(word, " \t\r\n#") {
			return states.Result{}, fmt.Errorf("%q is not one host name or address", word)
		}
	}
	if strings.ContainsAny(call.Args.Text("comment"), "\r\n") {
		return states.Result{}, errors.New("comment can only have one line")
	}
	if err := edit(h, call); err != nil {
		return states.Result{}, err
	}
	return settle(call, h.changes, "Host "+call.Name, func() error { return env.saveText(at, before, h.text(), 0o644) })
}

// hostLine is a line of /etc/hosts. raw is the line as it was, until something changes it.
type hostLine struct {
	raw, ip, comment string
	names            []string
}

type hostLines struct {
	lines   []hostLine
	changes map[string]any
}

func parseHostLine(raw string) hostLine {
	text, comment, _ := strings.Cut(strings.TrimRight(raw, "\r\n"), "#")
	fields := strings.Fields(text)
	if len(fields) < 2 {
		return hostLine{raw: raw}
	}
	return hostLine{raw: raw, ip: fields[0], names: fields[1:], comment: strings.TrimSpace(comment)}
}

func (h *hostLines) text() string {
	var out strings.Builder
	for _, line := range h.lines {
		switch {
		case line.raw != "":
			out.WriteString(strings.TrimSuffix(line.raw, "\n") + "\n")
		case len(line.names) > 0:
			out.WriteString(line.ip + "\t\t" + strings.Join(line.names, " "))
			if line.comment != "" {
				out.WriteString("\t# " + line.comment)
			}
			out.WriteString("\n")
		}
	}
	return out.String()
}

func sameIP(a, b string) bool {
	x, errX := netip.ParseAddr(a)
	y, errY := netip.ParseAddr(b)
	return errX == nil && errY == nil && x == y
}

func (h *hostLines) present(call *states.Call) error {
	var ips []string
	for _, ip := range call.Args.Strings("ip") {
		for part := range strings.SplitSeq(ip, ",") {
			if part = strings.TrimSpace(part); part != "" {
				ips = append(ips, part)
			}
		}
	}
	var added, removed []string
	comment := call.Args.Text("comment")
	for _, ip := range ips {
		if _, err := netip.ParseAddr(ip); err != nil {
			return fmt.Errorf("ip %q is not an address", ip)
		}
		on := slices.IndexFunc(h.lines, func(l hostLine) bool { return sameIP(l.ip, ip) && slices.Contains(l.names, call.Name) })
		if on >= 0 {
			if comment != "" && h.lines[on].comment != comment {
				h.changes["comment"] = was(h.lines[on].comment, comment)
				h.lines[on].raw, h.lines[on].comment = "", comment
			}
			continue
		}
		added = append(added, ip)
		i := slices.IndexFunc(h.lines, func(l hostLine) bool { return sameIP(l.ip, ip) })
		if i < 0 {
			h.lines = append(h.lines, hostLine{ip: ip})
			i = len(h.lines) - 1
		}
		line := &h.lines[i]
		line.raw, line.names = "", append(line.names, call.Name)
		line.comment = cmp.Or(comment, line.comment)
	}
	if call.Args.Bool("clean") {
		removed = h.take(call.Name, func(ip string) bool {
			return !slices.ContainsFunc(ips, func(keep string) bool { return sameIP(ip, keep) })
		})
	}
	if len(added) > 0 {
		h.changes["added"] = map[string]any{call.Name: texts(added)}
	}
	if len(removed) > 0 {
		h.changes["removed"] = map[string]any{call.Name: texts(removed)}
	}
	return nil
}

// take removes a name from the lines of addresses, and returns these.
func (h *hostLines) take(name string, from func(ip string) bool) []string {
	var removed []string
	for i := range h.lines {
		line := &h.lines[i]
		if line.ip == "" || !from(line.ip) || !slices.Contains(line.names, name) {
			continue
		}
		removed = append(removed, line.ip)
		line.raw = ""
		line.names = slices.DeleteFunc(slices.Clone(line.names), func(n string) bool { return n == name })
	}
	return removed
}

func (h *hostLines) absent(call *states.Call) error {
	ips := call.Args.Strings("ip")
	removed := h.take(call.Name, func(ip string) bool {
		return len(ips) == 0 || slices.ContainsFunc(ips, func(want string) bool { return sameIP(ip, want) })
	})
	if len(removed) > 0 {
		h.changes["removed"] = map[string]any{call.Name: texts(removed)}
	}
	return nil
}

func (h *hostLines) only(call *states.Call) error {
	if _, err := netip.ParseAddr(call.Name); err != nil {
		return fmt.Errorf("%q is not an address", call.Name)
	}
	want := call.Args.Strings("hostnames")
	var have []string
	place := -1
	for i := range h.lines {
		if sameIP(h.lines[i].ip, call.Name) {
			have = append(have, h.lines[i].names...)
			if place < 0 {
				place = i
			}
		}
	}
	if slices.Equal(have, want) {
		return nil
	}
	h.changes[call.Name] = was(strings.Join(have, " "), strings.Join(want, " "))
	if place < 0 {
		h.lines = append(h.lines, hostLine{ip: call.Name})
		place = len(h.lines) - 1
	}
	for i := range h.lines {
		if i == place {
			h.lines[i].raw, h.lines[i].names = "", want
		} else if sameIP(h.lines[i].ip, call.Name) {
			h.lines[i].raw, h.lines[i].names = "", nil
		}
	}
	return nil
}
