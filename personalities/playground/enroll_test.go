package playground

import (
	"context"
	"log/slog"
	"os"
	"testing"

	"github.com/ptorbus/zester/core/config"
)

// TestWaitNamed has echo for a client, which names what it is asked with.
func TestWaitNamed(t *testing.T) {
	f := &fleet{self: "echo", session: &session{stdio: config.Stdio{}}}
	err := f.waitNamed(t.Context(), []string{"web-1", "web-10", "db", "db-1"}, "to answer", "web-10:", "db-1", "pending")
	if want := "waited 0s for web-1, db to answer (--log-level info tells more)"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := f.waitNamed(t.Context(), []string{"web-1", "db"}, "to answer", "web-1:", "db", "pending"); err != nil {
		t.Error(err)
	}
	f.self = "false"
	err = f.waitNamed(t.Context(), nil, "to answer")
	if want := "waited 0s for the peels to answer (--log-level info tells more)"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	f.patience = startTimeout
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.waitNamed(ctx, nil, "to answer"); err != context.Canceled {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestWorkDir(t *testing.T) {
	dir := t.TempDir()
	_, release, err := workDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = workDir(dir)
	if want := "--dir " + dir + " is in use by another playground: stop that one, or name another directory"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	release()
	_, release, err = workDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	release()
	foreign := t.TempDir()
	if err := config.WriteFile(foreign+"/notes", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	want := "--dir " + foreign + " is not empty and no playground: name a new directory"
	for range 2 { // the first leaves nothing in it
		if _, _, err = workDir(foreign); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestApproveAgain has a client whose first approval and first look after it fail, as they may on a busy machine.
func TestApproveAgain(t *testing.T) {
	dir := t.TempDir()
	client := `#!/bin/sh
cd ` + dir + `
case "$*" in
"enroll list") [ -e approved ] && echo "web-01 active" || echo "web-01 pending" ;;
"enroll approve --all") [ -e tried ] && touch approved || { touch tried; echo no answer; exit 1; } ;;
*) [ -e pinged ] && echo "web-01:" || { touch pinged; exit 2; } ;;
esac
`
	if err := config.WriteFile(dir+"/client", []byte(client), 0o700); err != nil {
		t.Fatal(err)
	}
	f := &fleet{self: dir + "/client", session: &session{}, log: slog.New(slog.DiscardHandler), patience: startTimeout}
	if err := f.approveAll(t.Context(), []string{"web-01"}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"/approved", "/pinged"} {
		if _, err := os.Stat(dir + name); err != nil {
			t.Error(err)
		}
	}
}
