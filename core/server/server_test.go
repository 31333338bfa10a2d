package server_test

import (
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/server"
)

func TestBothSidesReachTheBuckets(t *testing.T) {
	s := server.StartTest(t)
	core, peel := s.Core(t), s.Peel(t, "web-01.example")
	ctx := t.Context()
	if _, err := peel.Put(ctx, bus.BucketBasket, bus.Token("web-01.example")+".ip", []byte("v")); err != nil {
		t.Fatal(err)
	}
	e, err := core.Get(ctx, bus.BucketBasket, "web-01=example.ip")
	if err != nil || string(e.Value) != "v" {
		t.Fatalf("core reads %q, %v", e.Value, err)
	}
	if _, err := core.Put(ctx, bus.BucketSettings, "web-01=example", []byte("sealed")); err != nil {
		t.Fatal(err)
	}
	if e, err = peel.Get(ctx, bus.BucketSettings, "web-01=example"); err != nil || string(e.Value) != "sealed" {
		t.Fatalf("the peel reads %q, %v", e.Value, err)
	}
	if _, err := peel.Get(ctx, bus.BucketSettings, "other"); !errors.Is(err, bus.ErrPermission) {
		t.Fatalf("another peel's settings: %v", err)
	}
	many, err := peel.GetMany(ctx, bus.BucketBasket, "*.ip")
	if err != nil || len(many) != 1 || many[0].Key != "web-01=example.ip" {
		t.Fatalf("peel reads many: %v, %v", many, err)
	}
}

// What masters create as soon as the server takes connections is created at the first attempt.
func TestFreshStore(t *testing.T) {
	for range 10 {
		var log buffer
		s := server.StartTest(t, func(o *server.Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
		creds, err := s.Hierarchy.MasterCreds("master")
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if err := s.Connect(t, creds, bus.Core).Setup(t.Context(), 1); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if strings.Contains(log.String(), "create failed") {
			t.Fatal(log.String())
		}
		s.Stop()
	}
}
