package enrollment

import (
	"errors"
	"fmt"
	"testing"

	"github.com/ptorbus/zester/core/server"
)

// In a cluster a read may be answered by a replica that lags behind the last write: nobody gives up over that.
func TestClusterOfThree(t *testing.T) {
	t.Parallel()
	f := &fleet{t: t, nats: server.StartCluster(t, 3), ca: newAuthority(t)}
	masters := []*master{f.master(), f.master(), f.master()}
	const n = 30
	var waits []<-chan enrolled
	var books []*logBook
	for i := range n {
		c := f.client(masters[i%3], fmt.Sprintf("web-%02d", i))
		book := &logBook{}
		c.Log = book.logger()
		books = append(books, book)
		waits = append(waits, start(t.Context(), c))
	}
	for i := range n {
		id := fmt.Sprintf("web-%02d", i)
		m := masters[(i+1)%3]
		m.awaitState(id, Pending)
		eventually(t, id+" is approved", func() bool { // while a leader is elected, on a busy machine, an answer may be lost
			_, err := m.store.Approve(t.Context(), id, "alice")
			var decided *StateError
			return err == nil || errors.As(err, &decided)
		})
	}
	for i, w := range waits {
		if e := receive(t, w); e.err != nil {
			t.Errorf("%v\n%s", e.err, books[i])
		}
	}
}
