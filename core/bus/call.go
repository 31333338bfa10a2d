package bus

import (
	"context"
	"time"
)

// serveTimeout bounds the work on one question.
const serveTimeout = 10 * time.Second

// Call is Request for values: it encodes the question and decodes the answer.
func Call[A any](ctx context.Context, c *Conn, subject string, question any) (A, error) {
	var answer A
	data, err := Marshal(question)
	if err != nil {
		return answer, err
	}
	reply, err := c.Request(ctx, subject, data)
	if err != nil {
		return answer, err
	}
	return answer, Unmarshal(reply, &answer)
}

// Serve answers the questions asked on subject, each by one member of the queue group. asker
// is the peel or operator as NATS knows it. An error of f becomes the asker's *RemoteError.
func Serve[Q, A any](c *Conn, subject, queue string, f func(ctx context.Context, asker string, q Q) (A, error)) (*Subscription, error) {
	return c.QueueSubscribe(subject, queue, func(m Msg) {
		var q Q
		err := Unmarshal(m.Data, &q)
		var a A
		if err == nil {
			ctx, cancel := context.WithTimeout(context.Background(), serveTimeout)
			defer cancel()
			a, err = f(ctx, Asker(m.Subject), q)
		}
		var data []byte
		if err == nil {
			data, err = Marshal(a)
		}
		if err != nil {
			m.Fail(err) // an asker that is gone needs no answer
			return
		}
		m.Respond(data)
	})
}
