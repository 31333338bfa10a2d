package modules

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

const cleanPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// prepare looks up all that a command names.
func (env *Env) prepare(c command) (*process, error) {
	argv, err := c.argv()
	if err != nil {
		return nil, err
	}
	p := &process{Line: c.line, Args: argv, Dir: c.cwd, Stdin: c.stdin, Merge: c.merge}
	if c.cwd != "" {
		if _, err := os.Stat(c.cwd); err != nil {
			return nil, fmt.Errorf("cwd: %w", err)
		}
	}
	if c.clean {
		p.Env = []string{cleanPath}
	} else {
		p.Env = env.environ()
	}
	if c.locale {
		p.Env = append(p.Env, "LC_ALL=C")
	}
	if c.path != "" {
		p.Env = append(p.Env, "PATH="+c.path+":"+lookupEnv(p.Env, "PATH"))
	}
	if err := p.become(c.runas, c.group); err != nil {
		return nil, err
	}
	for _, key := range slices.Sorted(maps.Keys(c.env)) {
		value := c.env[key]
		if value == nil || value == false {
			p.Env = slices.DeleteFunc(p.Env, func(e string) bool { return strings.HasPrefix(e, key+"=") })
			continue
		}
		p.Env = append(p.Env, key+"="+fmt.Sprint(value))
	}
	return p, nil
}

// argv is the words to execute. A process cannot be given a umask from outside, so a shell sets it and is replaced.
func (c command) argv() ([]string, error) {
	var argv []string
	if c.direct {
		words, err := splitWords(c.line)
		if err != nil {
			return nil, fmt.Errorf("command %q: %w", c.line, err)
		}
		argv = words
	} else {
		shell := c.shell
		if shell == "" {
			shell = "/bin/sh"
		}
		argv = []string{shell, "-c", c.line}
	}
	if len(argv) == 0 || strings.TrimSpace(c.line) == "" {
		return nil, errors.New("the command is empty")
	}
	if c.umask != "" {
		if _, err := strconv.ParseUint(c.umask, 8, 12); err != nil {
			return nil, fmt.Errorf("umask %q is not an octal number such as 027", c.umask)
		}
		argv = append([]string{"/bin/sh", "-c", `umask "$0" && exec "$@"`, c.umask}, argv...)
	}
	return argv, nil
}

// become makes the process run as another user, or with another group. Being that already needs no rights.
func (p *process) become(name, group string) error {
	if name == "" && group == "" {
		return nil
	}
	uid, gid := uint64(os.Getuid()), uint64(os.Getgid())
	var groups []uint32
	if name != "" {
		u, err := user.Lookup(name)
		if err != nil {
			return fmt.Errorf("runas %q: %w", name, err)
		}
		uid, _ = strconv.ParseUint(u.Uid, 10, 32)
		gid, _ = strconv.ParseUint(u.Gid, 10, 32)
		p.Env = append(p.Env, "HOME="+u.HomeDir, "USER="+name, "LOGNAME="+name)
		if int(uid) == os.Getuid() && group == "" {
			return nil
		}
		ids, err := u.GroupIds()
		if err != nil {
			return fmt.Errorf("runas %q: %w", name, err)
		}
		for _, id := range ids {
			if n, err := strconv.ParseUint(id, 10, 32); err == nil {
				groups = append(groups, uint32(n))
			}
		}
	}
	if group != "" {
		g, err := user.LookupGroup(group)
		if err != nil {
			return fmt.Errorf("group %q: %w", group, err)
		}
		gid, _ = strconv.ParseUint(g.Gid, 10, 32)
	}
	p.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), Groups: groups}
	return nil
}

func lookupEnv(environ []string, key string) string {
	value := ""
	for _, e := range environ {
		if v, ok := strings.CutPrefix(e, key+"="); ok {
			value = v
		}
	}
	return value
}
