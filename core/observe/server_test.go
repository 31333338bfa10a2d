package observe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// patience is how long a test waits for what must come. Nothing is measured by it: a busy machine may need it all.
const patience = time.Minute

// serve listens and has patience with checks.
func serve(t *testing.T, options Options) *Server {
	t.Helper()
	options.Addr = "127.0.0.1:0"
	server, err := Listen(options)
	if err != nil {
		t.Fatal(err)
	}
	server.mu.Lock()
	defer server.mu.Unlock()
	server.limit = patience
	return server
}

func listen(t *testing.T, options Options) *Server {
	t.Helper()
	server := serve(t, options)
	t.Cleanup(func() {
		if err := server.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return server
}

func get(t *testing.T, server *Server, path string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+server.Addr()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestHealth(t *testing.T) {
	server := listen(t, Options{})
	server.Check("broken", func(context.Context) error { return errors.New("no") })
	if status, body := get(t, server, "/healthz"); status != 200 || body != "ok\n" {
		t.Errorf("%d %q: liveness must not depend on checks", status, body)
	}
	if status, _ := get(t, server, "/else"); status != 404 {
		t.Errorf("unknown path: %d", status)
	}
	response, err := http.Post("http://"+server.Addr()+"/healthz", "", nil)
	if err != nil || response.Body.Close() != nil || response.StatusCode != 405 {
		t.Errorf("POST: %v, %v", response, err)
	}
}

func TestReadiness(t *testing.T) {
	server := listen(t, Options{})
	expect := func(status int, want string) {
		t.Helper()
		got, body := get(t, server, "/readyz")
		if got != status || body != want+"\n" {
			t.Errorf("got  %d %s\nwant %d %s", got, body, status, want)
		}
	}
	expect(200, `{"ready":true,"checks":{}}`)
	var mu sync.Mutex
	connected := errors.New("not connected to nats://nats:4222")
	server.Check("nats", func(context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		return connected
	})
	server.Check("enrollment", func(context.Context) error { return nil })
	expect(503, `{"ready":false,"checks":{"enrollment":{"ok":true},"nats":{"ok":false,"error":"not connected to nats://nats:4222"}}}`)
	mu.Lock()
	connected = nil
	mu.Unlock()
	expect(200, `{"ready":true,"checks":{"enrollment":{"ok":true},"nats":{"ok":true}}}`)
}

func TestReadinessOfHangingChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, err := Listen(Options{})
		if err != nil {
			t.Fatal(err)
		}
		release := make(chan struct{})
		server.Check("deaf", func(context.Context) error { <-release; return nil })
		server.Check("polite", func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) })
		server.Check("good", func(context.Context) error { return nil })
		start := time.Now()
		report := server.Ready(t.Context())
		if took := time.Since(start); took != CheckTimeout {
			t.Errorf("took %s", took)
		}
		for name, want := range map[string]Result{"deaf": {Error: "no answer within 2s"}, "polite": {Error: "no answer within 2s"}, "good": {OK: true}} {
			if report.Checks[name] != want {
				t.Errorf("%s = %+v, want %+v", name, report.Checks[name], want)
			}
		}
		if report.Ready {
			t.Error("ready in spite of it")
		}
		close(release)
	})
}

func TestMetrics(t *testing.T) {
	set := metrics.NewSet()
	set.NewCounter(`zester_jobs_total{result="ok"}`).Add(3)
	set.NewGauge("zester_peels", func() float64 { return 7 })
	first, second := listen(t, Options{Metrics: set}), listen(t, Options{})
	status, body := get(t, first, "/metrics")
	for _, want := range []string{"zester_jobs_total{result=\"ok\"} 3\n", "zester_peels 7\n", "go_goroutines ", "process_resident_memory_bytes "} {
		if status != 200 || !strings.Contains(body, want) {
			t.Errorf("%d, no %q in:\n%s", status, want, body)
		}
	}
	if _, body := get(t, second, "/metrics"); strings.Contains(body, "zester_") {
		t.Errorf("another server's metrics are shown:\n%s", body)
	}
}

func TestListenErrors(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, c := range []struct{ addr, want string }{
		{taken.Addr().String(), fmt.Sprintf(`metrics_addr: %q: address already in use (stop what listens there, choose another port, or "" for no listener)`, taken.Addr())},
		{"9090", `metrics_addr: "9090": missing port in address (want HOST:PORT, or "" for no listener)`},
		{"127.0.0.1:99999", `metrics_addr: "127.0.0.1:99999": invalid port (want HOST:PORT, or "" for no listener)`},
		{"192.0.2.1:0", `metrics_addr: "192.0.2.1:0": cannot assign requested address (choose an address of this host, or "" for no listener)`},
	} {
		server, err := Listen(Options{Addr: c.addr})
		if server != nil || err == nil || err.Error() != c.want {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
	}
}

func TestOff(t *testing.T) {
	server, err := Listen(Options{})
	if err != nil || server.Addr() != "" {
		t.Fatalf("address %q, %v", server.Addr(), err)
	}
	if err := server.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestShutdownLetsRequestsFinish(t *testing.T) {
	server := serve(t, Options{})
	asked, release := make(chan struct{}), make(chan struct{})
	server.Check("slow", func(context.Context) error { close(asked); <-release; return nil })
	answers := make(chan string, 1)
	go func() {
		response, err := http.Get("http://" + server.Addr() + "/readyz")
		if err != nil {
			answers <- err.Error()
			return
		}
		body, err := io.ReadAll(response.Body)
		answers <- fmt.Sprint(response.StatusCode, string(body), errors.Join(err, response.Body.Close()))
	}()
	<-asked
	down := make(chan error, 1)
	go func() { down <- server.Shutdown(context.Background()) }()
	close(release)
	var report Report
	answer := <-answers
	if err := json.Unmarshal([]byte(strings.TrimSuffix(strings.TrimPrefix(answer, "200"), "<nil>")), &report); err != nil || !report.Ready {
		t.Errorf("answer %q, %v", answer, err)
	}
	if err := <-down; err != nil {
		t.Error(err)
	}
	// A second listener may have the address at once.
	again, err := net.Listen("tcp", server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

func TestShutdownCutsOffAtTheDeadline(t *testing.T) {
	server, err := Listen(Options{Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	// A client that sends half a request keeps its connection busy.
	conn, err := net.Dial("tcp", server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := server.Shutdown(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", server.Addr()); err == nil {
		t.Error("still listening")
	}
}

// TestCloseWaitsForNobodyLong: a process that is told to stop does not depend on who reads its metrics.
func TestCloseWaitsForNobodyLong(t *testing.T) {
	server, err := Listen(Options{Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	for _, request := range []string{"", "GET /metr"} { // silent, and in the middle of a request
		conn, err := net.Dial("tcp", server.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
	}
	if status, _ := get(t, server, "/healthz"); status != 200 { // the others have been accepted before
		t.Errorf("status %d", status)
	}
	start := time.Now()
	server.Close()
	if took := time.Since(start); took > 20*grace { // they would stay for ever
		t.Errorf("took %s", took)
	}
}
