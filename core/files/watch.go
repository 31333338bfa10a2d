package files

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	quiet    = 100 * time.Millisecond // after the last event of a burst
	burst    = time.Second            // the longest a burst is waited for
	slowPoll = time.Minute            // for what events do not tell: network file systems, full queues
	lostPoll = 2 * time.Second        // while the directory is not there
)

// Changes tells when something below a directory may have changed: once at the start, then shortly after each burst of
// changes. A directory that does not exist is waited for. Signals that are not taken in time are merged. The channel closes with
// the context.
func Changes(ctx context.Context, dir string, log *slog.Logger) <-chan struct{} {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	dir = filepath.Clean(dir)
	c := &changes{dir: dir, log: log, out: make(chan struct{}, 1)}
	go c.run(ctx)
	return c.out
}

// ChangesIn is Changes for several directories at once.
func ChangesIn(ctx context.Context, dirs []string, log *slog.Logger) <-chan struct{} {
	if len(dirs) == 1 {
		return Changes(ctx, dirs[0], log)
	}
	merged := make(chan struct{}, 1)
	var all sync.WaitGroup
	for _, dir := range dirs {
		all.Go(func() {
			for range Changes(ctx, dir, log) {
				select {
				case merged <- struct{}{}:
				default:
				}
			}
		})
	}
	go func() {
		all.Wait()
		close(merged)
	}()
	return merged
}

type changes struct {
	dir     string
	log     *slog.Logger
	out     chan struct{}
	watcher *fsnotify.Watcher // nil: poll only
	last    [sha256.Size]byte
	there   bool
}

func (c *changes) run(ctx context.Context) {
	defer close(c.out)
	var err error
	if c.watcher, err = fsnotify.NewWatcher(); err != nil {
		c.log.Warn("directories are looked at once a minute only: no file notifications", "error", err)
		c.watcher = &fsnotify.Watcher{}
	} else {
		defer c.watcher.Close()
	}
	c.look(ctx)
	c.signal()
	for {
		wait := slowPoll
		if !c.there {
			wait = lostPoll
		}
		poll := time.NewTimer(wait)
		select {
		case e, ok := <-c.watcher.Events:
			if ok && c.concerns(e) && c.calm(ctx) {
				c.look(ctx)
				c.signal()
			}
		case err := <-c.watcher.Errors:
			c.log.Warn("file notifications are incomplete", "directory", c.dir, "error", err)
			c.look(ctx)
			c.signal()
		case <-poll.C:
			if c.look(ctx) {
				c.signal()
			}
		case <-ctx.Done():
			poll.Stop()
			return
		}
		poll.Stop()
	}
}

func (c *changes) signal() {
	select {
	case c.out <- struct{}{}:
	default:
	}
}

// concerns is false for a neighbour of the directory, which is watched to see it come, go or be exchanged.
func (c *changes) concerns(e fsnotify.Event) bool {
	return e.Name == c.dir || strings.HasPrefix(e.Name, c.dir+string(filepath.Separator))
}

// calm waits until a burst of events is over.
func (c *changes) calm(ctx context.Context) bool {
	end := time.After(burst)
	for {
		select {
		case <-c.watcher.Events:
		case <-time.After(quiet):
			return true
		case <-end:
			return true
		case <-ctx.Done():
			return false
		}
	}
}

// look reads names, sizes and times, watches every directory, and reports whether anything differs from last time.
func (c *changes) look(ctx context.Context) bool {
	c.watch(filepath.Dir(c.dir))
	sum := sha256.New()
	root, err := openRoot(c.dir)
	if c.there = err == nil; c.there {
		defer root.Close()
		c.watch(c.dir)
		w := &walker{ctx: ctx, root: root, warn: func(string, string) {}, entered: func(name string) {
			if name != "." {
				c.watch(filepath.Join(c.dir, name))
			}
		}}
		if err := w.start(); err != nil {
			sum.Write([]byte(err.Error()))
		}
		for _, f := range w.files {
			sum.Write([]byte(f.path + "\x00"))
			var n [17]byte
			binary.BigEndian.PutUint64(n[:], uint64(f.info.Size()))
			binary.BigEndian.PutUint64(n[8:], uint64(f.info.ModTime().UnixNano()))
			if executable(f.info) {
				n[16] = 1
			}
			sum.Write(n[:])
		}
	}
	now := [sha256.Size]byte(sum.Sum(nil))
	changed := now != c.last
	c.last = now
	return changed
}

// watch asks for events of one directory; doing it again costs nothing.
func (c *changes) watch(dir string) {
	if c.watcher.Events == nil {
		return
	}
	if err := c.watcher.Add(dir); err != nil && c.there {
		c.log.Debug("no file notifications for a directory", "directory", dir, "error", err)
	}
}
