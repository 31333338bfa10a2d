package playground

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// forgetRemoved takes the credentials from peels whose enrollment was removed, so that they enroll again: theirs stay
// valid for NATS, but no master would count them in.
func (f *fleet) forgetRemoved(ids []string) error {
	var removed []string
	if err := f.waitUntil(f.ctx, func() string {
		out, err := f.client(f.ctx, "enroll", "list")
		if err != nil {
			return "the list of enrollments: " + strings.TrimSpace(out)
		}
		removed = absent(out, ids)
		return ""
	}); err != nil {
		return err
	}
	for _, id := range removed {
		if err := os.Remove(f.path("peels", id, "auth", id+".creds")); err == nil {
			f.log.Warn("the peel's enrollment was removed: it enrolls again", "peel", id)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// approveAll approves the peels and waits until all of them answer.
func (f *fleet) approveAll(ctx context.Context, ids []string) error {
	if err := f.waitUntil(ctx, func() string {
		out, err := f.client(ctx, "enroll", "list")
		if missing := absent(out, ids); len(missing) > 0 {
			return strings.Join(missing, ", ") + " to ask for enrollment"
		}
		if err == nil && strings.Contains(out, "pending") {
			out, err = f.client(ctx, "enroll", "approve", "--all")
		}
		if err != nil {
			return "the approval of the peels: " + strings.TrimSpace(out)
		}
		return ""
	}); err != nil {
		return err
	}
	if err := f.waitNamed(ctx, ids, "to answer", "--timeout", "5s", "L@"+strings.Join(ids, ","), "test.ping"); err != nil || !f.fresh {
		return err // later the settings may say anything
	}
	return f.waitFurnished(ctx, ids)
}

// waitFurnished waits until the peels have the samples' settings and states, and share what they are to share. Each of these
// comes to them by a way of its own.
func (f *fleet) waitFurnished(ctx context.Context, ids []string) error {
	for _, ask := range [][]string{
		{"basket", "get", "*", "network.ip_addrs"}, {"basket", "get", "*", "disk.usage"}, {"basket", "get", "*", "custom.app_version"},
		{"*", "state.show_top"},
	} {
		if err := f.waitNamed(ctx, ids, "to have an answer for "+strings.Join(ask, " "), ask...); err != nil {
			return err
		}
	}
	return nil
}

// waitNamed runs a client's command until it succeeds and what it prints names all the peels.
func (f *fleet) waitNamed(ctx context.Context, ids []string, what string, args ...string) error {
	return f.waitUntil(ctx, func() string {
		out, err := f.client(ctx, args...)
		missing := absent(out, ids)
		if len(missing) > 0 {
			return strings.Join(missing, ", ") + " " + what
		}
		if err != nil {
			return "the peels " + what
		}
		return ""
	})
}

// waitFor asks until the answer is yes.
func (f *fleet) waitFor(ctx context.Context, what string, done func() bool) error {
	return f.waitUntil(ctx, func() string {
		if done() {
			return ""
		}
		return what
	})
}

// waitUntil asks until nothing is lacking any more, and says what is while that takes long.
func (f *fleet) waitUntil(ctx context.Context, lacks func() string) error {
	deadline := time.After(f.patience)
	slow := time.NewTicker(15 * time.Second)
	defer slow.Stop()
	for {
		lack := lacks()
		if lack == "" {
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case err := <-f.failed:
			return err
		case <-slow.C:
			f.log.Warn("waiting", "for", lack)
		case <-deadline:
			return fmt.Errorf("waited %s for %s (--log-level info tells more)", f.patience, lack)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// absent are the ids that no word of the text is.
func absent(text string, ids []string) []string {
	named := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\n:", r) })
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return slices.Contains(named, id) })
}

func containsAll(text string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}
