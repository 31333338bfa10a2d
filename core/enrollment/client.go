package enrollment

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/keys"
)

// Client is a peel that enrolls.
type Client struct {
	URL      string // of a master's enrollment API: https://HOST:PORT
	CAFile   string // who signed its certificate; empty means the system's authorities
	ID       string
	Identity *keys.Identity
	Facts    map[string]string // what an operator sees of this host: hostname, os, version
	Log      *slog.Logger
}

// Enroll asks to enroll, waits for an operator's approval however long that takes, and returns the credentials. Whatever
// may pass by itself is tried again, at first soon and later every half minute. It returns early when ctx ends, and when
// somebody has to do something first: the error then is one line that says what. Doing it again with the same identity
// goes on where it stopped; for a peel that was approved before it returns fresh credentials at once.
func (c *Client) Enroll(ctx context.Context) (keys.Creds, error) {
	log := c.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if err := bus.CheckPeelID(c.ID); err != nil {
		return keys.Creds{}, config.Invalid("id", "%w with --id", err)
	}
	api, err := c.dial()
	if err != nil {
		return keys.Creds{}, err
	}
	defer api.http.CloseIdleConnections()
	var (
		a       = attempt{Client: c, api: api}
		wait    backoff
		told    string // the trouble that was logged last
		waiting bool   // somebody was told that approval is awaited
	)
	for {
		asked := time.Now()
		creds, state, err := a.advance(ctx)
		var final *finalError
		switch {
		case ctx.Err() != nil:
			return keys.Creds{}, context.Cause(ctx)
		case errors.As(err, &final):
			return keys.Creds{}, final.err
		case errors.Is(err, ErrUnknown): // an operator has removed the request
			a.enrolled, waiting = false, false
		case err != nil && told != err.Error():
			told = err.Error()
			log.Warn("enrollment is not done yet and goes on", "error", err, "master_url", c.URL)
		case err == nil && creds.JWT != "":
			return creds, nil
		case err == nil && state == Pending && !waiting:
			waiting = true
			log.Info(fmt.Sprintf("waiting for approval: run `zester enroll approve %s`", c.ID), "public", c.Identity.Public(),
				"fingerprint", Fingerprint(c.Identity.Public(), c.Identity.Curve()), "master_url", c.URL)
		}
		if err == nil {
			told = ""
			if !a.enrolled {
				a.enrolled = true
				continue
			}
			if time.Since(asked) > pollTime/2 { // the master held the question as long as it could
				wait.reset()
				continue
			}
		}
		if !sleep(ctx, wait.next(retryAfter(err))) {
			return keys.Creds{}, context.Cause(ctx)
		}
	}
}

// attempt is how far a Client has come.
type attempt struct {
	*Client
	api      *api
	enrolled bool
	nonce    string // for the next step, if there is one
}

// advance takes the next step: it asks to enroll or, once that is done, for the credentials.
func (a *attempt) advance(ctx context.Context) (keys.Creds, State, error) {
	if a.nonce == "" {
		var challenge challengeReply
		if _, err := a.api.post(ctx, pathChallenge, challengeRequest{ID: a.ID, Public: a.Identity.Public()}, &challenge); err != nil {
			return keys.Creds{}, "", err
		}
		a.nonce = challenge.Nonce
	}
	creds, state, err := a.enroll(ctx)
	var later *laterError
	if !errors.As(err, &later) || !later.unread {
		a.nonce = ""
	}
	return creds, state, err
}

func (a *attempt) enroll(ctx context.Context) (creds keys.Creds, state State, err error) {
	var answer struct {
		stateReply
		credsReply
	}
	if !a.enrolled {
		q := enrollRequest{ID: a.ID, Public: a.Identity.Public(), Curve: a.Identity.Curve(), Facts: presentable(a.Facts), Nonce: a.nonce}
		if q.Signature, err = a.Identity.Sign(q.statement()); err != nil {
			return keys.Creds{}, "", &finalError{err}
		}
		_, err = a.api.post(ctx, pathEnroll, q, &answer)
		return keys.Creds{}, answer.State, err
	}
	q := credsRequest{ID: a.ID, Public: a.Identity.Public(), Nonce: a.nonce}
	if q.Signature, err = a.Identity.Sign(q.statement()); err != nil {
		return keys.Creds{}, "", &finalError{err}
	}
	status, err := a.api.post(ctx, pathCreds, q, &answer)
	if err == nil && status == http.StatusOK {
		creds, err = a.accept(answer.credsReply)
	}
	return creds, answer.State, err
}

// accept checks that the JWT is this peel's and the announced account's.
func (c *Client) accept(reply credsReply) (keys.Creds, error) {
	user, err := keys.ParseUser(reply.JWT)
	if err == nil && (user.Public != c.Identity.Public() || user.Name != c.ID || user.Account != reply.Account) {
		err = fmt.Errorf("the JWT is %q's", user.Name)
	}
	if err != nil {
		return keys.Creds{}, &finalError{fmt.Errorf("%s hands out credentials that are not this peel's: %w: check --master-url", c.URL, err)}
	}
	return keys.Creds{JWT: reply.JWT, Seed: c.Identity.Seed()}, nil
}

// presentable leaves out what the master would refuse, so that an odd fact does not keep a host from enrolling.
func presentable(facts map[string]string) map[string]string {
	kept := map[string]string{}
	size := 0
	for _, name := range sortedKeys(facts) {
		value := facts[name]
		if name == "" || len(name) > maxFactName || len(value) > maxFactValue || !printable(name) || !printable(value) {
			continue
		}
		if size += len(name) + len(value); size > maxFactsSize || len(kept) == maxFacts {
			break
		}
		kept[name] = value
	}
	return kept
}
