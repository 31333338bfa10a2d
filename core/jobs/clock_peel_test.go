package jobs

import (
	"context"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/keys"
)

// However wrong the peel's clock is, a job is remembered as long as commands of it may come.
func TestRememberedByAnyClock(t *testing.T) {
	now := time.Now()
	cmd := keys.Command{Issued: now, Expires: now.Add(time.Minute), Until: now.Add(24 * time.Hour)}
	for _, off := range []time.Duration{0, 10 * time.Minute, -10 * time.Minute, 72 * time.Hour, -72 * time.Hour, 20 * 365 * 24 * time.Hour} {
		c := peelClock{local: func() time.Time { return now.Add(off) }}
		if last := c.last(cmd); last.Before(now.Add(off+24*time.Hour)) || last.Before(cmd.Until) {
			t.Errorf("%s off: remembered until %s", off, last)
		}
	}
}

func TestPeelClock(t *testing.T) {
	now, asked := time.Now(), 0
	off := -time.Hour
	c := peelClock{local: func() time.Time { return now.Add(off) }, ask: func(context.Context) (time.Time, error) { asked++; return now, nil }}
	cmd := keys.Command{Issued: now.Add(-time.Minute), Expires: now.Add(time.Second)}
	if got, sure := c.now(); sure || !got.Equal(now.Add(off)) || c.left(cmd) != time.Minute+time.Second || c.off() != 0 {
		t.Error(got, sure, c.left(cmd))
	}
	for range 2 {
		if !c.learn(t.Context()) {
			t.Error("nothing learned")
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	if got, sure := c.now(); !sure || !got.Equal(now) || c.off() != -time.Hour || c.left(cmd) != time.Second {
		t.Error(got, sure, c.off(), c.left(cmd))
	}
	off += 7 * time.Second // have passed
	if got, sure := c.now(); !sure || !got.Equal(now.Add(7*time.Second)) {
		t.Error(got, sure)
	}
	if !c.learn(t.Context()) || asked != 2 {
		t.Errorf("asked %d times", asked)
	}
}
