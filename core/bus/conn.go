package bus

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Side is the account a connection belongs to.
type Side int

const (
	// Core is the masters' and operators' side: it has JetStream.
	Core Side = iota
	// Peels is the peels' side: it has the imported subjects only.
	Peels
)

// Options says where and as whom to connect.
type Options struct {
	URL  string // nats:// (TLS if the server offers it), tls:// (TLS or nothing); commas between several
	CA   string // file of the authority that signed the server's certificate; naming it makes TLS a must
	Name string // shown in the server's connection list
	User string // peel id or operator: fixes the inbox
	Side Side

	// JWT gives the user JWT and Sign signs the server's nonce with the user's key. Both are
	// called at each connect, so a renewed JWT is used from the next one on.
	JWT  func() (string, error)
	Sign func(nonce []byte) ([]byte, error)

	// Wait keeps trying for ever in the background, for those who have work without a bus.
	// Without it Connect returns a failure, after trying again for Patience.
	Wait     bool
	Patience time.Duration
	// Closed is called when the connection is lost for good or closed.
	Closed func()
	Log    *slog.Logger
}

// Conn is a connection to the bus.
type Conn struct {
	nc   *nats.Conn
	js   jetstream.JetStream // nil on the peels' side
	opts Options
	log  *slog.Logger

	stores stores

	errors     atomic.Uint64
	reconnects atomic.Uint64
	foreign    atomic.Uint64             // messages passed over: see classify
	trouble    atomic.Pointer[string]    // why the last attempt to connect failed
	awaySince  atomic.Pointer[time.Time] // since when it has been told that there is no connection

	mu        sync.Mutex
	onConnect map[int]func()
	nextHook  int
	waiting   map[string]map[int]context.CancelCauseFunc // requests by subject, for refusals
	nextWait  int
}

// Connect connects to the bus. Its errors are one line and name the address or file at fault.
func Connect(ctx context.Context, o Options) (*Conn, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	c := &Conn{opts: o, log: o.Log, onConnect: map[int]func(){}, waiting: map[string]map[int]context.CancelCauseFunc{}}
	options, err := c.natsOptions()
	if err != nil {
		return nil, err
	}
	nc, err := c.dial(ctx, options)
	if err != nil {
		return nil, err
	}
	c.nc = nc
	if o.Side == Core {
		if c.js, err = jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(4000)); err != nil {
			nc.Close()
			return nil, fmt.Errorf("nats: %w", err)
		}
	}
	c.warnPlaintext()
	return c, nil
}

// handshakes is how often at least a connection is tried that was only too slow for the server.
const handshakes = 4

// dial tries until the server answers, whatever it answers, or patience or the context ends.
func (c *Conn) dial(ctx context.Context, options []nats.Option) (*nats.Conn, error) {
	deadline := time.Now().Add(c.opts.Patience)
	for attempt := 1; ; attempt++ {
		nc, err := nats.Connect(c.opts.URL, options...)
		if err == nil && ctx.Err() != nil {
			nc.Close()
			return nil, ctx.Err()
		}
		if err == nil {
			return nc, nil
		}
		explained := explainConnect(c.opts, err)
		patient := time.Now().Before(deadline)
		again := unreachable(err) && patient || overtaken(err) && (patient || attempt < handshakes)
		if !again {
			return nil, explained
		}
		c.log.Warn("NATS cannot be reached yet", "error", explained)
		if !sleep(ctx, 500*time.Millisecond) {
			return nil, explained
		}
	}
}

func (c *Conn) natsOptions() ([]nats.Option, error) {
	o := c.opts
	options := []nats.Option{
		nats.Name(o.Name),
		nats.MaxReconnects(-1),
		nats.CustomReconnectDelay(reconnectDelay),
		nats.PingInterval(20 * time.Second),
		nats.MaxPingsOutstanding(3),
		nats.Timeout(dialTimeout),
		nats.RetryOnFailedConnect(o.Wait),
		nats.SetCustomDialer(offeredTLS{}),
		nats.ErrorHandler(c.asyncError),
		nats.ReconnectHandler(func(*nats.Conn) { c.reconnects.Add(1); c.warnPlaintext(); c.connected() }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				c.away()
				c.log.Warn("disconnected from NATS", "error", err)
			}
		}),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) {
			c.unreached(err)
		}),
	}
	if o.Wait { // the first connection may come long after Connect has returned
		options = append(options, nats.IgnoreAuthErrorAbort(), nats.ConnectHandler(func(*nats.Conn) { c.connected() }))
	}
	if o.Closed != nil {
		options = append(options, nats.ClosedHandler(func(*nats.Conn) { o.Closed() }))
	}
	if o.User != "" {
		options = append(options, nats.CustomInboxPrefix(Inbox(o.User)))
	}
	if o.JWT != nil {
		options = append(options, nats.UserJWT(nats.UserJWTHandler(o.JWT), nats.SignatureHandler(o.Sign)))
	}
	if o.CA != "" {
		pool, err := loadCA(o.CA)
		if err != nil {
			return nil, err
		}
		options = append(options, nats.Secure(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}))
	}
	return options, nil
}

// away notes that the log tells of a connection that is not there, for it to tell when it is.
func (c *Conn) away() {
	now := time.Now()
	c.awaySince.CompareAndSwap(nil, &now)
}

// unreached tells of a failed attempt to connect, once for each reason.
func (c *Conn) unreached(err error) {
	c.errors.Add(1)
	c.away()
	text := explainConnect(c.opts, err).Error()
	level := slog.LevelDebug
	if last := c.trouble.Swap(&text); last == nil || *last != text {
		level = slog.LevelWarn
	}
	c.log.Log(context.Background(), level, "NATS cannot be reached yet", "error", text)
}

// reconnectDelay backs off from about 100 ms to about 5 s, with jitter so that a fleet does not
// come back in step.
func reconnectDelay(attempts int) time.Duration {
	d := 100 * time.Millisecond << min(attempts, 5)
	return d + rand.N(d/2)
}

func (c *Conn) warnPlaintext() {
	if _, err := c.nc.TLSConnectionState(); err == nil || !c.nc.IsConnected() {
		return
	}
	u, err := url.Parse(c.nc.ConnectedUrl())
	if err != nil || u.Hostname() == "localhost" {
		return
	}
	if ip := net.ParseIP(u.Hostname()); ip != nil && ip.IsLoopback() {
		return
	}
	c.log.Warn("the connection to NATS is not encrypted: enable TLS on the server, or use a tls:// URL or --nats-ca to insist on it", "url", u.Redacted())
}

func (c *Conn) asyncError(_ *nats.Conn, sub *nats.Subscription, err error) {
	c.errors.Add(1)
	attrs := []any{"error", err}
	if sub != nil {
		attrs = append(attrs, "subject", sub.Subject)
	}
	level := slog.LevelWarn
	if errors.Is(err, nats.ErrBadHeaderMsg) { // any peel can cause these
		level = slog.LevelDebug
	}
	c.log.Log(context.Background(), level, "NATS reports an error", attrs...)
	if subject, ok := refusedPublish(err); ok {
		c.refuse(subject, fmt.Errorf("%w to send to %q", ErrPermission, subject))
	}
}

// refusedPublish takes the subject out of the server's refusal, which only the error handler
// is told of: Permissions Violation for Publish to "subject".
func refusedPublish(err error) (string, bool) {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return "", false
	}
	_, rest, ok := strings.Cut(strings.ToLower(err.Error()), `for publish to "`)
	if !ok {
		return "", false
	}
	return rest[:max(0, strings.IndexByte(rest, '"'))], true
}

// await makes a context that ends early when the server refuses a message to subject.
func (c *Conn) await(ctx context.Context, subject string) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	subject = strings.ToLower(subject)
	c.mu.Lock()
	defer c.mu.Unlock()
	id := c.nextWait
	c.nextWait++
	if c.waiting[subject] == nil {
		c.waiting[subject] = map[int]context.CancelCauseFunc{}
	}
	c.waiting[subject][id] = cancel
	return ctx, func() {
		cancel(nil)
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.waiting[subject], id)
		if len(c.waiting[subject]) == 0 {
			delete(c.waiting, subject)
		}
	}
}

func (c *Conn) refuse(subject string, err error) {
	c.stores.refuse(subject, err)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cancel := range c.waiting[subject] {
		cancel(err)
	}
}

func (c *Conn) connected() {
	c.trouble.Store(nil)
	if since := c.awaySince.Swap(nil); since != nil {
		c.log.Info("connected to NATS", "away", time.Since(*since).Round(time.Millisecond))
	}
	c.mu.Lock()
	hooks := make([]func(), 0, len(c.onConnect))
	for _, f := range c.onConnect {
		hooks = append(hooks, f)
	}
	c.mu.Unlock()
	for _, f := range hooks {
		f()
	}
}

// OnConnect calls f, which must not block, at each reconnect from now on, and with Wait at the
// first connect too. The returned function ends that.
func (c *Conn) OnConnect(f func()) (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := c.nextHook
	c.nextHook++
	c.onConnect[id] = f
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.onConnect, id)
	}
}

// Connected says whether the connection stands at this moment.
func (c *Conn) Connected() bool { return c.nc.IsConnected() }

// WaitConnected returns when the connection stands, or with the context's error.
func (c *Conn) WaitConnected(ctx context.Context) error {
	up := make(chan struct{}, 1)
	stop := c.OnConnect(func() {
		select {
		case up <- struct{}{}:
		default:
		}
	})
	defer stop()
	for !c.Connected() {
		select {
		case <-up:
		case <-ctx.Done():
			return fmt.Errorf("nats at %s: not connected: %w", redacted(c.opts.URL), context.Cause(ctx))
		}
	}
	return nil
}

// User is the peel id or operator the connection was made for.
func (c *Conn) User() string { return c.opts.User }

// Errors is how many asynchronous errors NATS has reported, Reconnects how often the
// connection was made anew.
func (c *Conn) Errors() uint64 { return c.errors.Load() }

// Reconnects is how often the connection was made anew.
func (c *Conn) Reconnects() uint64 { return c.reconnects.Load() }

// Flush waits until the server has taken everything sent so far: until the context ends, a
// minute at most.
func (c *Conn) Flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute) // nats.go insists on a deadline
	defer cancel()
	return c.nc.FlushWithContext(ctx)
}

// Reconnect drops the connection and makes it again, for a renewed JWT to count.
func (c *Conn) Reconnect() error { return c.nc.ForceReconnect() }

// Close sends what is buffered and closes. Calling it twice is harmless.
func (c *Conn) Close() {
	if c.nc.IsConnected() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		c.nc.FlushWithContext(ctx) // best effort: the connection goes either way
	}
	c.nc.Close()
}
