package playground

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"
)

type demoCommand struct{}

// Run shows a fleet from nothing to a load balancer that knows its web servers. It fails at
// the first step that does not do what it should.
func (*demoCommand) Run(s *session) error {
	began := time.Now()
	dir, release, err := workDir("")
	if err != nil {
		return err
	}
	defer release()
	f, err := start(s, dir)
	if err != nil {
		return err
	}
	defer f.stop()
	d := &demo{fleet: f, out: s.stdio.Out}
	for _, step := range []func(context.Context) error{d.enroll, d.ping, d.target, d.basket, d.haproxy, d.join, d.kill} {
		if err := step(s.ctx); err != nil {
			return err
		}
	}
	fmt.Fprintf(d.out, "\nAll steps did what they should, in %.1f seconds.\n", time.Since(began).Seconds())
	return nil
}

type demo struct {
	*fleet
	out io.Writer
}

func (d *demo) title(number int, text string) {
	fmt.Fprintf(d.out, "\n== %d. %s\n", number, text)
}

// show runs a command with its line and output printed. It fails unless the command succeeds
// and its output holds every text of want; a text "!x" must not be in it.
func (d *demo) show(ctx context.Context, line string, want ...string) (string, error) {
	fmt.Fprintf(d.out, "\n$ %s\n", line)
	var kept bytes.Buffer
	err := d.clientTo(ctx, io.MultiWriter(d.out, &kept), words(line)[1:]...)
	if err != nil {
		return "", fmt.Errorf("step %q: %w", line, err)
	}
	for _, w := range want {
		unwanted, negative := strings.CutPrefix(w, "!")
		if negative && strings.Contains(kept.String(), unwanted) {
			return "", fmt.Errorf("step %q: the output has %q, which it should not", line, unwanted)
		}
		if !negative && !strings.Contains(kept.String(), w) {
			return "", fmt.Errorf("step %q: the output lacks %q", line, w)
		}
	}
	return kept.String(), nil
}

var word = regexp.MustCompile(`'[^']*'|[^ ]+`)

// words splits a command line at blanks outside of single quotes.
func words(line string) []string {
	list := word.FindAllString(line, -1)
	for i := range list {
		list[i] = strings.Trim(list[i], "'")
	}
	return list
}

func (d *demo) enroll(ctx context.Context) error {
	d.title(1, "Four peels ask to join; an operator lets them in")
	ids := strings.Split(defaultPeels, ",")
	for _, id := range ids {
		if err := d.addPeel(id); err != nil {
			return err
		}
	}
	if err := d.waitFor(ctx, "four peels to ask", func() bool {
		out, err := d.client(ctx, "enroll", "list")
		return err == nil && strings.Count(out, "pending") == len(ids)
	}); err != nil {
		return err
	}
	if _, err := d.show(ctx, "zester enroll list", "web-01", "web-02", "lb-01", "db-01", "pending"); err != nil {
		return err
	}
	if _, err := d.show(ctx, "zester enroll approve --all"); err != nil {
		return err
	}
	return d.active(ctx, ids)
}

// active waits until the peels are active and have all that the next steps ask for.
func (d *demo) active(ctx context.Context, ids []string) error {
	if err := d.waitFor(ctx, "the peels to be active", func() bool {
		out, err := d.client(ctx, "enroll", "list")
		return err == nil && strings.Count(out, "active") == len(ids)
	}); err != nil {
		return err
	}
	if err := d.waitFurnished(ctx, ids); err != nil {
		return err
	}
	_, err := d.show(ctx, "zester enroll list", append([]string{"active", "!pending"}, ids...)...)
	return err
}

func (d *demo) ping(ctx context.Context) error {
	d.title(2, "All of them answer")
	_, err := d.show(ctx, "zester '*' test.ping", "web-01:", "web-02:", "lb-01:", "db-01:", "True", "!False")
	return err
}

func (d *demo) target(ctx context.Context) error {
	d.title(3, "Some of them, by facts and by name")
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	if _, err := d.show(ctx, "zester 'G@role:web' cmd.run 'hostname'", "web-01:", "web-02:", host, "!lb-01", "!db-01"); err != nil {
		return err
	}
	_, err = d.show(ctx, "zester 'web-* and not L@web-02' facts.get os", "web-01:", "!web-02", "!lb-01")
	return err
}

func (d *demo) basket(ctx context.Context) error {
	d.title(4, "What peels share through the basket")
	if _, err := d.show(ctx, "zester basket get web-01 network.ip_addrs", "web-01:", "!web-02"); err != nil {
		return err
	}
	if _, err := d.show(ctx, "zester basket list web-01", "network.ip_addrs:", "disk.usage:", "custom.app_version:", "2.1.0"); err != nil {
		return err
	}
	_, err := d.show(ctx, "zester basket get 'role:web' network.ip_addrs", "web-01:", "web-02:", "!lb-01", "!db-01")
	return err
}

const applyHAProxy = "zester lb-01 state.apply haproxy"

func (d *demo) haproxy(ctx context.Context) error {
	d.title(5, "A load balancer is configured from the basket")
	if _, err := d.show(ctx, applyHAProxy, "haproxy_config", "server web-01", "server web-02", "Succeeded: 1 (changed=1)"); err != nil {
		return err
	}
	if err := d.showFile("web-01", "web-02"); err != nil {
		return err
	}
	fmt.Fprintln(d.out, "\nOnce more: there is nothing left to change.")
	_, err := d.show(ctx, applyHAProxy, "Succeeded: 1\n", "Failed:    0", "!changed=")
	return err
}

// showFile prints lb-01's file and checks that it lists exactly these web peels.
func (d *demo) showFile(ids ...string) error {
	path := d.path("peels", "lb-01", "root", "etc", "haproxy", "haproxy.cfg")
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "\n$ cat %s\n%s", path, data)
	if n := strings.Count(string(data), "server "); n != len(ids) {
		return fmt.Errorf("%s lists %d servers instead of %d", path, n, len(ids))
	}
	for _, id := range ids {
		if !strings.Contains(string(data), "server "+id+" ") {
			return fmt.Errorf("%s lacks %s", path, id)
		}
	}
	return nil
}

func (d *demo) join(ctx context.Context) error {
	d.title(6, "A third web server joins")
	const line = "zester basket watch 'role:web' network.ip_addrs"
	fmt.Fprintf(d.out, "\n$ %s &\n", line)
	watching, stop := context.WithCancel(ctx)
	seen := &watched{}
	ended := make(chan error, 1)
	go func() { ended <- d.clientTo(watching, seen, words(line)[1:]...) }()
	err := d.watchJoin(ctx, seen)
	stop()
	if watched := <-ended; err == nil && !errors.Is(watched, context.Canceled) {
		err = fmt.Errorf("step %q: %w", line, watched)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "\nThe watch has printed:\n%s", seen.String())
	if _, err := d.show(ctx, applyHAProxy, "server web-03", "Succeeded: 1 (changed=1)"); err != nil {
		return err
	}
	return d.showFile("web-01", "web-02", "web-03")
}

// watchJoin lets web-03 in while the watch is on.
func (d *demo) watchJoin(ctx context.Context, seen *watched) error {
	if err := d.waitFor(ctx, "the watch to show what there is", func() bool {
		return containsAll(seen.String(), []string{"web-01:", "web-02:"})
	}); err != nil {
		return err
	}
	if err := d.addPeel("web-03"); err != nil {
		return err
	}
	if err := d.waitFor(ctx, "web-03 to ask", func() bool {
		out, err := d.client(ctx, "enroll", "list")
		return err == nil && strings.Contains(out, "pending")
	}); err != nil {
		return err
	}
	if _, err := d.show(ctx, "zester enroll approve web-03"); err != nil {
		return err
	}
	return d.waitFor(ctx, "the watch to show web-03", func() bool { return strings.Contains(seen.String(), "web-03:") })
}

// watched collects what a command in the background prints.
type watched struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.Write(p)
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

func (d *demo) kill(ctx context.Context) error {
	d.title(7, "The master is killed and started again; the basket answers throughout")
	const line = "zester basket get 'web-*' network.ip_addrs"
	want := []string{"web-01:", "web-02:", "web-03:"}
	fmt.Fprintf(d.out, "\n$ kill -9 %d    # the master\n", d.master.Process.Pid)
	d.killMaster()
	if _, err := d.show(ctx, line, want...); err != nil {
		return err
	}
	began := time.Now()
	if err := d.startMaster(); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "\n$ zester master --config %s &    # ready after %d ms\n", d.path("master.yaml"), time.Since(began).Milliseconds())
	if _, err := d.show(ctx, line, want...); err != nil {
		return err
	}
	_, err := d.show(ctx, "zester '*' test.ping", "web-03:", "!False")
	return err
}
