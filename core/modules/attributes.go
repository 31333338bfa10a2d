package modules

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// attributes are what a file's owner, group and mode should be; nil leaves one as it is.
type attributes struct {
	mode     *fs.FileMode // permission and special bits
	uid, gid *int
	// user and group are names that are nobody's yet, in a test run only: an earlier state may be about to make them.
	user, group string
}

// owners looks up users and groups, each name once. It is safe for concurrent use.
type owners struct {
	users, groups sync.Map // name -> id
}

func (o *owners) user(name string) (int, error) {
	return resolveID(&o.users, name, func() (string, error) {
		u, err := user.Lookup(name)
		if err != nil {
			return "", err
		}
		return u.Uid, nil
	})
}

func (o *owners) group(name string) (int, error) {
	return resolveID(&o.groups, name, func() (string, error) {
		g, err := user.LookupGroup(name)
		if err != nil {
			return "", err
		}
		return g.Gid, nil
	})
}

func resolveID(known *sync.Map, name string, lookup func() (string, error)) (int, error) {
	if id, ok := known.Load(name); ok {
		return id.(int), nil
	}
	text, err := lookup()
	if err != nil {
		// A number that is nobody's name is an id.
		if _, numeric := strconv.Atoi(name); numeric != nil {
			return 0, err
		}
		text = name
	}
	id, err := strconv.Atoi(text)
	if err != nil {
		return 0, err
	}
	known.Store(name, id)
	return id, nil
}

// want reads mode, user and group arguments. In a test run a user or group that is not there is a difference, no fault.
func (o *owners) want(test bool, mode, userName, groupName string) (attributes, error) {
	var a attributes
	if mode != "" {
		bits, err := parseMode(mode)
		if err != nil {
			return a, err
		}
		a.mode = &bits
	}
	if userName != "" {
		uid, err := o.user(userName)
		switch {
		case err == nil:
			a.uid = &uid
		case test && unknownOwner(err):
			a.user = userName
		default:
			return a, fmt.Errorf("there is no user %q: %w", userName, err)
		}
	}
	if groupName != "" {
		gid, err := o.group(groupName)
		switch {
		case err == nil:
			a.gid = &gid
		case test && unknownOwner(err):
			a.group = groupName
		default:
			return a, fmt.Errorf("there is no group %q: %w", groupName, err)
		}
	}
	return a, nil
}

func unknownOwner(err error) bool {
	var noUser user.UnknownUserError
	var noGroup user.UnknownGroupError
	return errors.As(err, &noUser) || errors.As(err, &noGroup)
}

// unknown says which of the users and groups that a test run was given are not there.
func (o *owners) unknown(args Args) []string {
	var out []string
	if name := args.Text("user"); name != "" {
		if _, err := o.user(name); unknownOwner(err) {
			out = append(out, fmt.Sprintf("there is no user %q yet", name))
		}
	}
	if name := args.Text("group"); name != "" {
		if _, err := o.group(name); unknownOwner(err) {
			out = append(out, fmt.Sprintf("there is no group %q yet", name))
		}
	}
	return out
}

// parseMode reads an octal mode: 644, "0644", 4755.
func parseMode(text string) (fs.FileMode, error) {
	bits, err := strconv.ParseUint(strings.TrimPrefix(text, "0o"), 8, 32)
	if err != nil || bits > 0o7777 {
		return 0, fmt.Errorf("mode %q is not an octal mode such as 0644", text)
	}
	mode := fs.FileMode(bits & 0o777)
	for bit, special := range map[uint64]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if bits&bit != 0 {
			mode |= special
		}
	}
	return mode, nil
}

const modeBits = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

func formatMode(mode fs.FileMode) string {
	bits := uint32(mode.Perm())
	for bit, special := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if mode&special != 0 {
			bits |= bit
		}
	}
	return fmt.Sprintf("%04o", bits)
}

func ownerOf(info fs.FileInfo) (uid, gid int) {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid), int(stat.Gid)
	}
	return -1, -1
}

// compare adds to changes what differs between info, nil for nothing there, and what is wanted.
func (a attributes) compare(info fs.FileInfo, changes map[string]any) {
	add := func(key, was, want string) {
		if info == nil {
			changes[key] = want
		} else if was != want {
			changes[key] = map[string]any{"old": was, "new": want}
		}
	}
	var mode fs.FileMode
	uid, gid := -1, -1
	if info != nil {
		mode = info.Mode() & modeBits
		uid, gid = ownerOf(info)
	}
	if a.mode != nil && (info == nil || mode != *a.mode) {
		add("mode", formatMode(mode), formatMode(*a.mode))
	}
	if a.uid != nil && uid != *a.uid {
		add("user", userName(uid), userName(*a.uid))
	}
	if a.gid != nil && gid != *a.gid {
		add("group", groupName(gid), groupName(*a.gid))
	}
	if a.user != "" {
		add("user", userName(uid), a.user)
	}
	if a.group != "" {
		add("group", groupName(gid), a.group)
	}
}

func userName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return strconv.Itoa(uid)
}

func groupName(gid int) string {
	if g, err := user.LookupGroupId(strconv.Itoa(gid)); err == nil {
		return g.Name
	}
	return strconv.Itoa(gid)
}

// owner is the owner and the group to be set, -1 for what is right or does not matter.
func (a attributes) owner(info fs.FileInfo) (uid, gid int) {
	oldUID, oldGID := ownerOf(info)
	uid, gid = -1, -1
	if a.uid != nil && *a.uid != oldUID {
		uid = *a.uid
	}
	if a.gid != nil && *a.gid != oldGID {
		gid = *a.gid
	}
	return uid, gid
}

// apply sets on path what differs from info, which is of what was found there. It goes by a descriptor of that very file:
// whoever may write to its directory could have put another one in its place, or a link to one.
func (a attributes) apply(path string, info fs.FileInfo) error {
	uid, gid := a.owner(info)
	mode := info.Mode() & modeBits
	if a.mode != nil {
		mode = *a.mode
	}
	chown := uid >= 0 || gid >= 0
	// Changing the owner clears special bits, so it comes first.
	chmod := info.Mode()&fs.ModeSymlink == 0 && (chown || mode != info.Mode()&modeBits)
	if !chown && !chmod {
		return nil
	}
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	file := os.NewFile(uintptr(fd), path)
	defer file.Close()
	now, err := file.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(now, info) {
		return fmt.Errorf("%q has become another file since it was looked at: its owner and mode are left as they are", path)
	}
	if chown {
		if err := unix.Fchownat(fd, "", uid, gid, unix.AT_EMPTY_PATH); err != nil {
			return &fs.PathError{Op: "chown", Path: path, Err: err}
		}
	}
	if !chmod {
		return nil
	}
	err = os.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), mode)
	var failure *fs.PathError
	if errors.As(err, &failure) {
		err = &fs.PathError{Op: "chmod", Path: path, Err: failure.Err}
	}
	return err
}

// makeParents makes the missing directories above path.
func (env *Env) makeParents(path string, own attributes) error {
	dir := parent(path)
	if _, err := os.Stat(dir); err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := env.makeParents(dir, own); err != nil {
		return err
	}
	return env.makeDirectory(dir, own)
}

// makeDirectory makes one directory with the wanted mode, 0755 by default, and owner.
func (env *Env) makeDirectory(dir string, own attributes) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%q is not a directory", dir)
	}
	if own.mode == nil {
		mode := fs.FileMode(0o755)
		own.mode = &mode
	}
	return errors.Join(own.apply(dir, info), env.unsynced.named(dir))
}
