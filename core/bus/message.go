package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

var (
	// ErrNoResponders: nobody listens on the subject of a request.
	ErrNoResponders = errors.New("nobody answers")
	// ErrPermission: the server refuses the message; the user's JWT lacks the right.
	ErrPermission = errors.New("these credentials have no right")
)

// RemoteError is an error that the answering side reported with Msg.Fail.
type RemoteError struct{ Text string }

func (e *RemoteError) Error() string { return e.Text }

const headerError = "Zester-Error"

// Msg is a received message.
type Msg struct {
	Subject string
	Data    []byte
	msg     *nats.Msg
}

// Wanted says whether the sender waits for an answer.
func (m Msg) Wanted() bool { return m.msg.Reply != "" }

// Respond answers a request.
func (m Msg) Respond(data []byte) error { return m.msg.Respond(data) }

// Fail answers a request with an error, which the asker's Request returns as a *RemoteError.
func (m Msg) Fail(err error) error {
	reply := nats.NewMsg(m.msg.Reply)
	reply.Header.Set(headerError, oneLine(err.Error()))
	return m.msg.RespondMsg(reply)
}

func oneLine(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c == '\n' || c == '\r' {
			b[i] = ' '
		}
	}
	return string(b)
}

// Publish sends a message without waiting for anything.
func (c *Conn) Publish(subject string, data []byte) error {
	if err := c.nc.Publish(subject, data); err != nil {
		return fmt.Errorf("nats: %s: %w", subject, err)
	}
	return nil
}

// Request sends a message and waits for its answer until the context ends. It returns
// ErrNoResponders, ErrPermission or a *RemoteError where these apply.
func (c *Conn) Request(ctx context.Context, subject string, data []byte) ([]byte, error) {
	msg := nats.NewMsg(subject)
	msg.Data = data
	reply, err := c.request(ctx, msg)
	if err != nil {
		return nil, err
	}
	if text := reply.Header.Get(headerError); text != "" {
		return nil, &RemoteError{text}
	}
	return reply.Data, nil
}

func (c *Conn) request(ctx context.Context, msg *nats.Msg) (*nats.Msg, error) {
	ctx, done := c.await(ctx, msg.Subject)
	defer done()
	reply, err := c.nc.RequestMsgWithContext(ctx, msg)
	switch {
	case err == nil:
		return reply, nil
	case errors.Is(err, nats.ErrNoResponders):
		return nil, fmt.Errorf("%s: %w", msg.Subject, ErrNoResponders)
	case ctx.Err() != nil:
		return nil, ended(ctx, msg.Subject)
	}
	return nil, fmt.Errorf("nats: %s: %w", msg.Subject, err)
}

// ended is why a context of await has: the server's refusal names the subject itself.
func ended(ctx context.Context, subject string) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, ErrPermission) {
		return fmt.Errorf("%w to send to %q", ErrPermission, subject)
	}
	return fmt.Errorf("%s: %w", subject, cause)
}

// RequestMany sends a message that several may answer and calls each, one at a time, for every
// answer, until the context ends, none has come for the time quiet, or each returns false. The
// error is ErrNoResponders or ErrPermission where these apply, and the context's if it ended
// before any answer.
func (c *Conn) RequestMany(ctx context.Context, subject string, data []byte, quiet time.Duration, each func(data []byte) bool) error {
	ctx, done := c.await(ctx, subject)
	defer done()
	inbox := c.nc.NewInbox()
	msgs := make(chan *nats.Msg, 64)
	sub, err := c.nc.ChanSubscribe(inbox, msgs)
	if err != nil {
		return fmt.Errorf("nats: %w", err)
	}
	defer sub.Unsubscribe()
	if err := c.nc.PublishRequest(subject, inbox, data); err != nil {
		return fmt.Errorf("nats: %s: %w", subject, err)
	}
	var silence <-chan time.Time
	for {
		select {
		case m := <-msgs:
			if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
				return fmt.Errorf("%s: %w", subject, ErrNoResponders)
			}
			if !each(m.Data) {
				return nil
			}
			silence = time.After(quiet)
		case <-silence:
			return nil
		case <-ctx.Done():
			if silence != nil {
				return nil
			}
			return ended(ctx, subject)
		}
	}
}

// answerWait bounds the wait for JetStream's answer where the caller's context does not: an
// answer that is lost with a connection or a server never comes.
const answerWait = 10 * time.Second

func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, answerWait, errSilent)
}

var errSilent = fmt.Errorf("no answer in %s: %w", answerWait, context.DeadlineExceeded)

// boundedSilence is bounded for many answers, which together may take long: whenever heard is called the time begins anew.
func boundedSilence(ctx context.Context) (_ context.Context, heard, cancel func()) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}, func() {}
	}
	ctx, end := context.WithCancelCause(ctx)
	timer := time.AfterFunc(answerWait, func() { end(errSilent) })
	return ctx, func() { timer.Reset(answerWait) }, func() { timer.Stop(); end(nil) }
}

// Subscription ends with Stop.
type Subscription struct{ stop func() }

// Stop ends the subscription; messages already received may still be handled.
func (s *Subscription) Stop() { s.stop() }

// Subscribe calls h for each message on subject, one at a time and in order.
func (c *Conn) Subscribe(subject string, h func(Msg)) (*Subscription, error) {
	return c.QueueSubscribe(subject, "", h)
}

// QueueSubscribe is Subscribe where each message goes to one member of the queue group only.
func (c *Conn) QueueSubscribe(subject, queue string, h func(Msg)) (*Subscription, error) {
	sub, err := c.nc.QueueSubscribe(subject, queue, func(m *nats.Msg) {
		h(Msg{Subject: m.Subject, Data: m.Data, msg: m})
	})
	if err != nil {
		return nil, fmt.Errorf("nats: %s: %w", subject, err)
	}
	return &Subscription{func() { sub.Unsubscribe() }}, nil
}

// Hints calls h when an entry of a republished bucket may have changed, and after each
// reconnect, when a change may have been missed. What arrives is a hint and never data: any
// peel can forge one, so h goes and reads.
func (c *Conn) Hints(bucket, key string, h func()) (*Subscription, error) {
	sub, err := c.Subscribe(Republished(bucket, key), func(Msg) { h() })
	if err != nil {
		return nil, err
	}
	stop := c.OnConnect(h)
	return &Subscription{func() { stop(); sub.Stop() }}, nil
}
