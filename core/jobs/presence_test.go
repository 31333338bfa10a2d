package jobs_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/jobs"
)

func TestPresence(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	var mu sync.Mutex
	var news []string
	note := func(what string) func(string) {
		return func(id string) { mu.Lock(); defer mu.Unlock(); news = append(news, what+" "+id) }
	}
	got := func() []string { mu.Lock(); defer mu.Unlock(); return slices.Clone(news) }
	early := f.Peel(t, "early.example.org")
	until(t, func() bool { return f.presence.Connected("early.example.org") })

	p := jobs.NewPresence(f.core, f.Account.Public(), f.log)
	p.OnConnect, p.OnDisconnect = note("+"), note("-")
	start(t, p.Run)
	<-p.Ready()
	if !p.Connected("early.example.org") || p.Connected("web-01") || p.Count() != 1 {
		t.Errorf("%+v", p.List())
	}
	before := time.Now()
	conn, line := f.through(t, f.PeelCreds(t, "web-01"), bus.Peels)
	until(t, func() bool { return p.Connected("web-01") })
	list := p.List()
	if w := list[1]; len(list) != 2 || w.ID != "web-01" || w.Address != "127.0.0.1" || w.Name != "behind a proxy" || w.Lang != "go" || w.Version == "" ||
		w.Since.Before(before.Add(-time.Second)) || w.Since.After(time.Now().Add(time.Second)) {
		t.Errorf("%+v", list)
	}
	line.cut()
	until(t, func() bool { return len(got()) == 2 && !p.Connected("web-01") })
	line.mend()
	until(t, func() bool { return len(got()) == 3 && p.Connected("web-01") })
	conn.Close()
	early.Close()
	until(t, func() bool { return len(got()) == 5 && p.Count() == 0 })
	want := []string{"+ web-01", "- web-01", "+ web-01", "- early.example.org", "- web-01"} // the last two in either order
	all := got()
	if slices.Sort(all[3:]); !slices.Equal(all, want) {
		t.Errorf("news %q, want %q", all, want)
	}
}

// Masters and operators are no peels.
func TestPresenceIsOfPeels(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.Operator(t, "alice")
	f.Peel(t, "web-01")
	until(t, func() bool { return f.presence.Connected("web-01") })
	if n := f.presence.Count(); n != 1 {
		t.Errorf("%+v", f.presence.List())
	}
}

// Two connections of one peel are one peel, until both are gone.
func TestPresenceOfTwins(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	first := f.Peel(t, "web-01")
	until(t, func() bool { return f.presence.Connected("web-01") })
	second := f.Peel(t, "web-01")
	went := make(chan string, 2)
	p := jobs.NewPresence(f.core, f.Account.Public(), f.log)
	p.OnDisconnect = func(id string) { went <- id }
	start(t, p.Run)
	<-p.Ready()
	if p.Count() != 1 {
		t.Errorf("%+v", p.List())
	}
	first.Close()
	other := f.Peel(t, "web-02") // its event comes after that of the first's end
	until(t, func() bool { return p.Connected("web-02") })
	other.Close()
	if id := <-went; id != "web-02" || !p.Connected("web-01") {
		t.Errorf("%s went, %+v are left", id, p.List())
	}
	second.Close()
	if id := <-went; id != "web-01" {
		t.Errorf("%s went", id)
	}
}

// A server that restarts tells nobody of the connections it had.
func TestPresenceAfterRestart(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	stays := f.Peel(t, "stays-01")
	goes := f.Peel(t, "goes-01")
	until(t, func() bool { return f.presence.Count() == 2 })
	f.Stop()
	goes.Close()
	f.Start(t)
	until(t, func() bool { return stays.Connected() && !f.presence.Connected("goes-01") })
	until(t, func() bool { return f.presence.Connected("stays-01") && f.presence.Count() == 1 })
}

// A long list comes a page at a time.
func TestPresenceInPages(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	const peels = 7
	for i := range peels {
		f.Peel(t, fmt.Sprintf("web-%02d", i))
	}
	for page := 1; page <= peels+1; page++ {
		p := jobs.NewPresence(f.core, f.Account.Public(), f.log)
		jobs.SetPage(p, page)
		stop := start(t, p.Run)
		<-p.Ready()
		if p.Count() != peels {
			t.Errorf("pages of %d: %d peels", page, p.Count())
		}
		stop()
	}
}
