package jobs_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/jobs"
	"github.com/ptorbus/zester/core/keys"
)

// follow collects what is shown of a job until it ends, and calls first at the first piece.
func follow(j *jobs.Job, first ...func()) (s *jobs.Summary, shown map[string]string, missing bool, returns map[string]jobs.Return) {
	shown, returns = map[string]string{}, map[string]jobs.Return{}
	s = j.Wait(func(e jobs.Event) {
		switch e := e.(type) {
		case jobs.Output:
			for ; len(first) > 0; first = first[1:] {
				first[0]()
			}
			stream := "out"
			if e.Stderr {
				stream = "err"
			}
			shown[e.Peel+" "+stream] += e.Text
			missing = missing || e.Missing
		case jobs.Return:
			returns[e.Peel] = e
		}
	})
	return s, shown, missing, returns
}

func TestStream(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	ids := []string{"web-01", "web-02"}
	all := f.peels(t, ids...)
	f.master(t, ids)
	c := f.client(t)
	asked := make(chan bool, 10)
	for id, p := range all {
		p.exec.ping = func(ctx context.Context, _ keys.Command) (any, int, error) {
			show := jobs.OutputOf(ctx)
			if asked <- show != nil; show != nil {
				for i := range 1000 {
					show(false, fmt.Appendf(nil, "%s says %d\n", id, i))
				}
				show(true, []byte("and complains\xff"))
			}
			return "done", 0, nil
		}
	}
	j, err := c.Submit(t.Context(), jobs.Request{Target: "*", Function: "write.hook", Stream: true, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	s, shown, missing, returns := follow(j)
	if s.ExitCode() != jobs.ExitOK || missing || len(returns) != 2 || !<-asked || !<-asked {
		t.Errorf("%+v, missing %t, %v", s, missing, returns)
	}
	for _, id := range ids {
		var want strings.Builder
		for i := range 1000 {
			fmt.Fprintf(&want, "%s says %d\n", id, i)
		}
		if got := shown[id+" out"]; got != want.String() || shown[id+" err"] != "and complains\xff" {
			t.Errorf("%s: shown %d bytes, want %d; %q", id, len(got), want.Len(), shown[id+" err"])
		}
	}
	if r := f.closed(t, j.ID); !r.Stream {
		t.Errorf("%+v", r)
	}
	if _, shown, _, _ := follow(submit(t, c, jobs.Request{Target: "*", Function: "write.hook", Timeout: time.Minute})); len(shown) > 0 || <-asked || <-asked {
		t.Errorf("shown though nobody asked: %v", shown)
	}
}

// A function that prints too much, and a peel that sends too much, are cut short; the returns are not.
func TestStreamIsBounded(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	ids := []string{"web-01", "web-02"}
	all := f.peels(t, ids...)
	f.master(t, ids)
	seen := make(chan struct{}) // something of web-01: what comes behind the flood may be lost on the way
	all["web-01"].exec.ping = func(ctx context.Context, _ keys.Command) (any, int, error) {
		line := append(bytes.Repeat([]byte("x"), 1<<20-1), '\n')
		for range 30 {
			jobs.OutputOf(ctx)(false, line)
		}
		return "done", 0, nil
	}
	all["web-02"].exec.ping = func(ctx context.Context, cmd keys.Command) (any, int, error) {
		conn := all["web-02"].conn
		select {
		case <-seen:
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
		for i := range 20_000 {
			data, err := bus.Marshal(map[string]any{"l": int64(1), "n": i + 1, "e": false, "t": bytes.Repeat([]byte("y"), 4000)})
			if i%4 == 0 {
				data = bytes.Repeat([]byte{byte(i)}, i)
			}
			if err == nil {
				err = conn.Publish(bus.Output(cmd.JID, "web-02"), data)
			}
			if err != nil {
				return nil, 0, err
			}
		}
		return "done", 0, nil
	}
	began := time.Now()
	s, shown, missing, returns := follow(submit(t, f.client(t), jobs.Request{Target: "*", Function: "write.hook", Stream: true, Timeout: 3 * patience}), func() { close(seen) })
	if s.ExitCode() != jobs.ExitOK || !missing || returns["web-01"].Value != "done" || returns["web-02"].Value != "done" {
		t.Errorf("%+v, missing %t, %v", s, missing, returns)
	}
	for id, rate := range map[string]int{"web-01": 256 << 10, "web-02": 1 << 20} {
		most := 2*rate + int(time.Since(began).Seconds()+1)*rate
		if n := len(shown[id+" out"]); n == 0 || n > most {
			t.Errorf("%s: %d bytes are shown, want some and at most %d", id, n, most)
		}
	}
}

// Pieces are lines, or what comes within a tenth of a second.
func TestPieces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got []string
		start := time.Now()
		write, end := jobs.NewShower(func(number uint64, stderr bool, text string) {
			if len(text) > 20 {
				text = fmt.Sprintf("%d bytes", len(text))
			}
			got = append(got, fmt.Sprintf("%v %d %t %s", time.Since(start), number, stderr, text))
		})
		write(false, []byte("first\nsec"))
		time.Sleep(20 * time.Millisecond)
		write(false, []byte("ond\n"))
		write(true, []byte("err\n"))
		time.Sleep(time.Second)
		write(false, []byte("part"))
		time.Sleep(99 * time.Millisecond)
		write(false, []byte("ly"))
		time.Sleep(time.Second)
		write(false, make([]byte, 10_000))
		end()
		write(false, []byte("after the end\n"))
		time.Sleep(time.Second)
		want := []string{
			"0s 1 false first\n", "100ms 2 false second\n", "100ms 3 true err\n", "1.12s 4 false partly",
			"2.119s 5 false 4096 bytes", "2.119s 6 false 4096 bytes", "2.119s 7 false 1808 bytes",
		}
		if strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("got\n%q, want\n%q", got, want)
		}
	})
}

// Whatever a peel sends, following its output does not fail.
func FuzzOutput(f *testing.F) {
	for _, seed := range []any{map[string]any{"n": 1, "t": []byte("x")}, map[string]any{"l": -1, "n": -1}, []any{1}, "text", nil} {
		data, err := bus.Marshal(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		text, shown := jobs.ReadPiece(data)
		if len(text) > len(data) || !shown && text != "" {
			t.Errorf("%d bytes of text in %d", len(text), len(data))
		}
	})
}
