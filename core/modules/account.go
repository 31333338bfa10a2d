package modules

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
)

// account is a line of /etc/passwd, and what /etc/shadow says of it where that may be read.
type account struct {
	name                  string
	uid, gid              int
	gecos, home, shell    string
	password              string
	changed, min, max     string // days, "" for none
	warn, inactive, until string
}

// usergroup is a line of /etc/group.
type usergroup struct {
	name    string
	gid     int
	members []string
}

// noEntry is how getent ends where the name service has no such entry; any other code but 0 says that it could not ask.
const noEntry = 2

// database returns the entries of passwd, group or shadow: from the name service where the host can ask it, so that users
// who are in no file count, else from the file. With a key only its entry is asked for.
func (env *Env) database(ctx context.Context, name, key string) ([][]string, error) {
	var text string
	if name != "shadow" && hasTool("getent") {
		words := []string{"getent", name}
		if key != "" {
			words = append(words, key)
		}
		out, err := env.tool(ctx, "", words...)
		if err == nil && out.code != 0 && out.code != noEntry {
			err = toolError(words[0], out)
		}
		if err != nil {
			return nil, err
		}
		text = out.stdout
	} else {
		data, err := os.ReadFile("/etc/" + name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		text = string(data)
	}
	fields := map[string]int{"passwd": 7, "group": 4, "shadow": 8}[name]
	var entries [][]string
	for line := range strings.Lines(text) {
		entry := strings.Split(strings.TrimRight(line, "\n"), ":")
		if len(entry) >= fields && (key == "" || entry[0] == key) {
			entries = append(entries, entry)
		}
	}
	return entries, nil
}

// account returns a user, nil if there is none.
func (env *Env) account(ctx context.Context, name string) (*account, error) {
	entries, err := env.database(ctx, "passwd", name)
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	a := parseAccount(entries[0])
	shadow, err := env.database(ctx, "shadow", name)
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		return nil, err
	}
	if len(shadow) > 0 {
		s := shadow[0]
		a.password, a.changed, a.min, a.max, a.warn, a.inactive, a.until = s[1], s[2], s[3], s[4], s[5], s[6], s[7]
	}
	return a, nil
}

func parseAccount(entry []string) *account {
	uid, _ := strconv.Atoi(entry[2])
	gid, _ := strconv.Atoi(entry[3])
	return &account{name: entry[0], uid: uid, gid: gid, gecos: entry[4], home: entry[5], shell: entry[6]}
}

// usergroup returns a group, nil if there is none.
func (env *Env) usergroup(ctx context.Context, name string) (*usergroup, error) {
	entries, err := env.database(ctx, "group", name)
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	return parseGroup(entries[0]), nil
}

func parseGroup(entry []string) *usergroup {
	gid, _ := strconv.Atoi(entry[2])
	g := &usergroup{name: entry[0], gid: gid, members: []string{}}
	for member := range strings.SplitSeq(entry[3], ",") {
		if member != "" {
			g.members = append(g.members, member)
		}
	}
	slices.Sort(g.members)
	return g
}

// groups returns every group.
func (env *Env) groups(ctx context.Context) ([]*usergroup, error) {
	entries, err := env.database(ctx, "group", "")
	if err != nil {
		return nil, err
	}
	groups := make([]*usergroup, len(entries))
	for i, entry := range entries {
		groups[i] = parseGroup(entry)
	}
	return groups, nil
}

// memberships returns the groups that a user is a member of beside the own one, sorted, and the name of that.
func (env *Env) memberships(ctx context.Context, a *account) (names []string, own string, err error) {
	groups, err := env.groups(ctx)
	if err != nil {
		return nil, "", err
	}
	names = []string{}
	for _, g := range groups {
		switch {
		case g.gid == a.gid && own == "":
			own = g.name
		case slices.Contains(g.members, a.name) && g.gid != a.gid:
			names = append(names, g.name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), own, nil
}

// gecosFields are the parts of the comment of a user.
var gecosFields = [5]string{"fullname", "roomnumber", "workphone", "homephone", "other"}

func (a *account) gecosParts() [5]string {
	var parts [5]string
	copy(parts[:], strings.SplitN(a.gecos, ",", len(parts)))
	return parts
}

// describe is what user.info returns.
func (a *account) describe(groups []string, own string) map[string]any {
	all := slices.Sorted(slices.Values(append(slices.Clone(groups), own)))
	out := map[string]any{
		"name": a.name, "uid": int64(a.uid), "gid": int64(a.gid), "home": a.home, "shell": a.shell, "passwd": "x", "groups": texts(all),
	}
	parts := a.gecosParts()
	for i, field := range gecosFields {
		out[field] = parts[i]
	}
	return out
}

func (g *usergroup) describe() map[string]any {
	return map[string]any{"name": g.name, "gid": int64(g.gid), "passwd": "x", "members": texts(g.members)}
}
