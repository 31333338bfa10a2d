package enrollment

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/ptorbus/zester/core/keys"
)

// pollTime is how long a poll waits for an operator before the peel has to ask again.
const pollTime = 25 * time.Second

// creds answers with the peel's JWT as soon as it is approved, which may be while it waits.
func (s *Server) creds(r *http.Request, q credsRequest) (int, any, error) {
	ctx, cancel := context.WithTimeout(r.Context(), pollTime+2*kvTimeout)
	defer cancel()
	if err := s.authenticate(ctx, q.ID, q.Public, q.Nonce, q.statement(), q.Signature); err != nil {
		return 0, nil, err
	}
	record, err := s.decided(ctx, q.ID, q.Public)
	switch {
	case err != nil:
		return 0, nil, err
	case record.State == Pending:
		return http.StatusAccepted, stateReply{Pending}, nil
	}
	return s.issue(ctx, q.ID, q.Public)
}

// issue notes the JWT before it hands it out: what was issued must be known to whoever revokes it.
func (s *Server) issue(ctx context.Context, id, public string) (int, any, error) {
	jwt, err := keys.PeelJWT(s.Account, id, public, s.TTL)
	if err != nil {
		return 0, nil, err
	}
	user, err := keys.ParseUser(jwt)
	if err != nil {
		return 0, nil, err
	}
	record, err := s.store.MarkIssued(ctx, id, public, user.Expires)
	var state *StateError
	switch {
	case errors.As(err, &state) && state.State == Rejected:
		return 0, nil, rejected(id)
	case errors.As(err, &state): // a replica that has not heard of the approval yet
		return http.StatusAccepted, stateReply{state.State}, nil
	case err != nil:
		return 0, nil, err
	}
	s.Log.Info("a peel has its credentials", "peel", id, "public", public, "state", record.State, "approved_by", record.DecidedBy)
	return http.StatusOK, credsReply{JWT: jwt, Account: s.Account.Public()}, nil
}

// decided waits until the record is no longer pending, for as long as a poll may wait, and returns it as it is then.
func (s *Server) decided(ctx context.Context, id, public string) (Record, error) {
	changed, stop := s.Directory.wait(id)
	defer stop()
	record, err := s.store.Get(ctx, id)
	if err != nil {
		return Record{}, err
	}
	if known := s.Directory.record(id); record.State == Pending && known.State != "" {
		record = known // a read may be older than what the watch has told
	}
	timeout := time.NewTimer(pollTime)
	defer timeout.Stop()
	for waits := false; ; {
		switch {
		case record.State == "":
			return Record{}, fmt.Errorf("peel %q: %w", id, ErrUnknown)
		case record.Public != public:
			return Record{}, &KeyError{ID: id}
		case record.State != Pending:
			return record, nil
		}
		if !waits {
			select {
			case s.waiting <- struct{}{}:
				defer func() { <-s.waiting }()
				waits = true
			default:
				return record, nil // the peel comes back, later each time
			}
		}
		select {
		case <-changed:
			record = s.Directory.record(id)
		case <-timeout.C:
			return record, nil
		case <-ctx.Done():
			return Record{}, context.Cause(ctx)
		}
	}
}
