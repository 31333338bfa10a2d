package bus_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/server"
)

func jetStream(t *testing.T, s *server.TestServer) jetstream.JetStream {
	t.Helper()
	creds, err := s.Hierarchy.MasterCreds("inspector")
	if err != nil {
		t.Fatal(err)
	}
	var nc *nats.Conn
	eventually(t, func() bool { // a busy machine may be too slow for the server
		nc, err = nats.Connect(s.URL, nats.Timeout(patience), nats.UserJWT(func() (string, error) { return creds.JWT, nil }, creds.Sign))
		return err == nil
	})
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(patience/4))
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func configs(t *testing.T, js jetstream.JetStream) map[string]jetstream.StreamConfig {
	t.Helper()
	var all map[string]jetstream.StreamConfig
	eventually(t, func() bool { // a cluster that changes its leader loses answers
		all = map[string]jetstream.StreamConfig{}
		streams := js.ListStreams(t.Context())
		for info := range streams.Info() {
			all[info.Config.Name] = info.Config
		}
		return streams.Err() == nil
	})
	return all
}

// Masters that start at once agree; what they make is bounded, and nobody can roll it up.
func TestSetup(t *testing.T) {
	s := server.StartTest(t)
	core := s.Core(t)
	var all sync.WaitGroup
	for range 4 {
		c := s.Core(t)
		all.Go(func() {
			if err := c.Setup(t.Context(), 1); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	js := jetStream(t, s)
	got := configs(t, js)
	if len(got) != 12 {
		t.Errorf("%d streams", len(got))
	}
	for name, c := range got {
		if c.AllowRollup || c.MaxBytes <= 0 || c.MaxMsgSize <= 0 || c.Storage != jetstream.FileStorage || c.Replicas != 1 {
			t.Errorf("%s: rollup %v, %d bytes, %d each, %d replicas", name, c.AllowRollup, c.MaxBytes, c.MaxMsgSize, c.Replicas)
		}
	}
	// What an administrator has raised stays; what somebody has spoilt is mended.
	facts, basket := got["KV_facts"], got["KV_basket"]
	facts.MaxBytes *= 2
	basket.AllowRollup = true
	for _, c := range []jetstream.StreamConfig{facts, basket} {
		if _, err := js.UpdateStream(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if err := core.Setup(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	after := configs(t, js)
	if after["KV_facts"].MaxBytes != facts.MaxBytes || after["KV_basket"].AllowRollup {
		t.Errorf("facts have %d bytes, basket allows rollups: %v", after["KV_facts"].MaxBytes, after["KV_basket"].AllowRollup)
	}
}

// Three servers: everything is kept three times, and one of them may go.
func TestCluster(t *testing.T) {
	t.Parallel()
	s := server.StartCluster(t, 3)
	core, peel := s.Core(t), s.Peel(t, "p1")
	for name, c := range configs(t, jetStream(t, s)) {
		if c.Replicas != 3 {
			t.Errorf("%s has %d replicas", name, c.Replicas)
		}
	}
	eventually(t, func() bool { return try(t, peel, "1") })
	var w *bus.Watcher
	eventually(t, func() bool {
		var err error
		w, err = core.Watch(t.Context(), bus.BucketBasket, ">")
		return err == nil
	})
	follow(w, "1")
	s.Servers[0].Shutdown()
	eventually(t, func() bool { return try(t, peel, "2") })
	eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		e, err := core.Get(ctx, bus.BucketBasket, "p1.ip")
		return err == nil && string(e.Value) == "2"
	})
}

// Of several who create one key at the same moment, one does, and the others are told so.
func TestClusterCreatesOnce(t *testing.T) {
	t.Parallel()
	s := server.StartCluster(t, 3)
	core := s.Core(t)
	for round := range 20 {
		errs := make([]error, 8)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() {
				_, errs[i] = core.Create(t.Context(), bus.BucketJobs, fmt.Sprint("job", round), []byte{byte(i)})
			})
		}
		all.Wait()
		created, lost := 0, 0
		for _, err := range errs {
			switch {
			case err == nil:
				created++
			case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, bus.ErrNoResponders): // a new leader, on a busy machine
				lost++
			case strings.HasSuffix(err.Error(), "(10008)") || strings.HasSuffix(err.Error(), "(10009)"): // JetStream has no leader, or another one
				lost++
			case !errors.Is(err, bus.ErrExists):
				t.Error(err)
			}
		}
		if created > 1 || created+lost == 0 {
			t.Errorf("%d created one key, of %d the answers were lost", created, lost)
		}
	}
}

// A request made while a cluster elects a leader is not refused.
func TestStoreOnceWaitsForALeader(t *testing.T) {
	t.Parallel()
	s := server.StartCluster(t, 3)
	core := s.Core(t)
	s.Servers[1].Shutdown()
	s.Servers[2].Shutdown()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		var err error = context.DeadlineExceeded
		for attempt := 0; errors.Is(err, context.DeadlineExceeded) && attempt < 40; attempt++ {
			short, end := context.WithTimeout(ctx, 3*time.Second)
			err = core.StoreOnce(short, bus.Submit("alice"), "j1", []byte("x"))
			end()
		}
		done <- err
	}()
	s.Restart(t)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// try writes with a short patience: while a cluster elects leaders, an answer may be lost.
func try(t *testing.T, c *bus.Conn, value string) bool {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	_, err := c.Put(ctx, bus.BucketBasket, "p1.ip", []byte(value))
	return err == nil
}

// follow reads a watch up to a value. The end of the initial values may come before it: the
// servers of a cluster do not know of a write at the same moment.
func follow(w *bus.Watcher, value string) {
	for e := range w.Entries() {
		if string(e.Value) == value {
			return
		}
	}
}

// A cluster that has no leader yet does not answer at all, nor later: who asks must ask again.
func TestSetupWaitsForALeader(t *testing.T) {
	t.Parallel()
	s := server.StartCluster(t, 3)
	creds, err := s.Hierarchy.MasterCreds("master")
	if err != nil {
		t.Fatal(err)
	}
	c := s.Connect(t, creds, bus.Core)
	s.Servers[1].Shutdown()
	s.Servers[2].Shutdown()
	done := make(chan error, 1)
	var led atomic.Bool
	go func() {
		for {
			began := led.Load() // with a leader it has time enough
			err := c.Setup(t.Context(), 3)
			if began || !errors.Is(err, context.DeadlineExceeded) {
				done <- err
				return
			}
		}
	}()
	s.Restart(t)
	led.Store(true)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
