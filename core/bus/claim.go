package bus

import "fmt"

// Claim names this taking of the work, so that a survivor can Release it where its taker is gone.
func (w Work) Claim() string { return w.msg.Reply() }

// Release gives back work that another process took, which is known to be gone: it is delivered
// again at once instead of when the taker's AckWait is over. A claim that is over already does
// nothing, or has the work done by two. CORE only.
func (c *Conn) Release(claim string) error {
	if err := c.nc.Publish(claim, []byte("-NAK")); err != nil {
		return fmt.Errorf("nats: %s: %w", claim, err)
	}
	return nil
}
