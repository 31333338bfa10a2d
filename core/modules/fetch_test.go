package modules

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// TestStalledServer: a server that sends nothing is not waited for, neither for its answer nor in the middle of a file.
func TestStalledServer(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/half" {
			w.Header().Set("Content-Length", "10")
			_, _ = w.Write([]byte("half\n"))
			_ = http.NewResponseController(w).Flush()
		}
		<-over
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(over) })
	for _, path := range []string{"/half", "/nothing"} {
		file, err := fetch(t.Context(), server.URL+path, true, time.Second/4)
		if want := "the server has sent nothing for 0.25 seconds"; file != nil || err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
}

// TestFlowing: a slow server is waited for as long as it sends something.
func TestFlowing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader, writer := io.Pipe()
		stalled := errors.New("stalled")
		timer := time.AfterFunc(stallLimit, func() { writer.CloseWithError(stalled) })
		go func() {
			for range 10 {
				time.Sleep(stallLimit - time.Second)
				_, _ = writer.Write([]byte("x"))
			}
		}()
		began := time.Now()
		data, err := io.ReadAll(&flowing{reader, timer, stallLimit})
		if took, want := time.Since(began), 11*stallLimit-10*time.Second; string(data) != "xxxxxxxxxx" || !errors.Is(err, stalled) || took != want {
			t.Errorf("%q (%v) in %v, want %v", data, err, took, want)
		}
	})
}
