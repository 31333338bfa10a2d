package jobs_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/jobs"
	"github.com/ptorbus/zester/core/server"
)

// In a cluster each server tells of its own, a page at a time.
func TestPresenceInCluster(t *testing.T) {
	t.Parallel()
	f := &fleet{TestServer: server.StartCluster(t, 3), log: logger(t)}
	f.core = f.Core(t)
	const peels = 12
	var all sync.WaitGroup
	for i := range peels {
		creds := f.PeelCreds(t, fmt.Sprintf("web-%02d", i))
		all.Go(func() {
			o := bus.Options{URL: f.Servers[i%3].URL(), Side: bus.Peels, Log: f.log, Patience: patience}
			creds.Fill(&o)
			c, err := bus.Connect(context.Background(), o)
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(c.Close)
		})
	}
	all.Wait()
	p := jobs.NewPresence(f.core, f.Account.Public(), f.log)
	jobs.SetPage(p, 3)
	start(t, p.Run)
	<-p.Ready()
	until(t, func() bool { return p.Count() == peels })
	f.Servers[2].Shutdown()
	until(t, func() bool { return p.Count() == peels }) // they have gone to the others
	c := f.Peel(t, "late-01")
	until(t, func() bool { return p.Connected("late-01") })
	c.Close()
	until(t, func() bool { return !p.Connected("late-01") })
}
