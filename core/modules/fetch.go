package modules

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptrace"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/ptorbus/zester/core/states"
)

// stallLimit is how long a server may send nothing at all.
const stallLimit = time.Minute

// openURL is a source on a web server. It is fetched when it is first read, which a file that has the wanted hash does not need.
func (s *fileStates) openURL(ctx context.Context, url string, args Args) *content {
	var once sync.Once
	var file *os.File
	var failure error
	return &content{remote: true, open: func() (io.ReadCloser, error) {
		once.Do(func() {
			file, failure = fetch(ctx, url, !args.Has("verify_ssl") || args.Bool("verify_ssl"), stallLimit)
		})
		if failure != nil {
			return nil, failure
		}
		info, err := file.Stat()
		if err != nil {
			return nil, err
		}
		return io.NopCloser(io.NewSectionReader(file, 0, info.Size())), nil
	}}
}

// fetch puts what a server has into a file that is gone when it is closed. It may take as long as it does, but not send nothing
// for longer than stall.
func fetch(ctx context.Context, url string, verify bool, stall time.Duration) (file *os.File, err error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	timer := time.AfterFunc(stall, func() { stop(fmt.Errorf("the server has sent nothing for %v seconds", stall.Seconds())) })
	defer timer.Stop()
	defer func() {
		if cause := context.Cause(ctx); err != nil && cause != nil {
			err = cause
		}
	}()
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: !verify},
	}
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotFirstResponseByte: func() { timer.Reset(stall) }})
	request, err := http.NewRequestWithContext(traced, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	answer, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	switch {
	case answer.StatusCode == http.StatusNotFound || answer.StatusCode == http.StatusGone:
		return nil, fmt.Errorf("the server says %s: %w", answer.Status, fs.ErrNotExist)
	case answer.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("the server says %s", answer.Status)
	}
	if file, err = os.CreateTemp("", "zester-fetch-*"); err != nil {
		return nil, err
	}
	err = os.Remove(file.Name())
	if err == nil {
		_, err = io.Copy(file, &flowing{answer.Body, timer, stall})
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// flowing puts a timer off with every byte that is read.
type flowing struct {
	from  io.Reader
	timer *time.Timer
	delay time.Duration
}

func (f *flowing) Read(p []byte) (int, error) {
	n, err := f.from.Read(p)
	if n > 0 {
		f.timer.Reset(f.delay)
	}
	return n, err
}

func isURL(source string) bool {
	return strings.HasPrefix(source, "http://") || strings.HasPrefix(source, "https://")
}

// wantedSum finds the hash that a source must have: source_hash is the hash itself, or where a list of hashes is.
func (s *fileStates) wantedSum(ctx context.Context, source, name string, args Args) (sum []byte, newHash func() hash.Hash, err error) {
	given := args.Text("source_hash")
	if given == "" {
		return nil, nil, nil
	}
	if isURL(given) || treePath(given) != given || path.IsAbs(given) || strings.HasPrefix(given, "file://") {
		list, err := s.open(ctx, given, args)
		if err == nil {
			err = list.load()
		}
		if err != nil {
			return nil, nil, fmt.Errorf("source_hash %q: %w", public(given), err)
		}
		if given, err = sumIn(string(list.data), source, name, args.Text("source_hash_name")); err != nil {
			return nil, nil, fmt.Errorf("source_hash %q: %w", public(args.Text("source_hash")), err)
		}
	}
	digits := given
	if i := strings.LastIndexAny(given, "=:"); i >= 0 {
		digits = given[i+1:]
	}
	sum, err = hex.DecodeString(strings.TrimSpace(digits))
	if newHash = hashes[len(sum)]; err != nil || newHash == nil {
		return nil, nil, fmt.Errorf("source_hash %q is not an md5, sha1, sha224, sha256, sha384 or sha512 sum", given)
	}
	return sum, newHash, nil
}

// sumIn finds the hash of a file in a list such as sha256sum prints: by the name it is said to have, that of the source, or
// that of the file; a single hash is the one.
func sumIn(list, source, name, said string) (string, error) {
	type entry struct{ sum, name string }
	var entries []entry
	for line := range strings.Lines(list) {
		var found entry
		for _, word := range strings.Fields(strings.NewReplacer("(", " ", ")", " ", "=", " ").Replace(line)) {
			if sum, err := hex.DecodeString(word); err == nil && hashes[len(sum)] != nil {
				found.sum = word
			} else {
				found.name = strings.TrimPrefix(strings.TrimPrefix(word, "*"), "./")
			}
		}
		if found.sum != "" {
			entries = append(entries, found)
		}
	}
	for _, want := range []string{said, path.Base(source), path.Base(name)} {
		for _, e := range entries {
			if want != "" && (e.name == want || path.Base(e.name) == want) {
				return e.sum, nil
			}
		}
	}
	if len(entries) == 1 && said == "" {
		return entries[0].sum, nil
	}
	return "", fmt.Errorf("it has no hash for %q", path.Base(source))
}

// verified checks a content against a hash as it is read for the first time.
func (c *content) verified(sum []byte, newHash func() hash.Hash) *content {
	checked := *c
	checked.sum, checked.newHash = sum, newHash
	open := c.reader
	var once sync.Once
	var failure error
	checked.open = func() (io.ReadCloser, error) {
		once.Do(func() {
			source, err := open()
			if err != nil {
				failure = err
				return
			}
			got, err := sumOf(source, newHash)
			if failure = errors.Join(err, source.Close()); failure == nil && !bytes.Equal(got, sum) {
				failure = fmt.Errorf("its hash is %x, source_hash says %x", got, sum)
			}
		})
		if failure != nil {
			return nil, failure
		}
		return open()
	}
	return &checked
}

func sumOf(source io.Reader, newHash func() hash.Hash) ([]byte, error) {
	h := newHash()
	_, err := io.Copy(h, source)
	return h.Sum(nil), err
}

// localCopy brings a source to a path of the host that only its own user can read, under a name after pattern; the caller
// calls clean when it is done.
func (s *fileStates) localCopy(ctx context.Context, source, pattern string, args Args) (name string, clean func(), err error) {
	c, err := s.sourceContent(ctx, &states.Call{Name: source, Args: Args{
		"source": []any{source}, "source_hash": args["source_hash"], "source_hash_name": args["source_hash_name"], "skip_verify": args["skip_verify"],
		"verify_ssl": args["verify_ssl"],
	}})
	if err != nil {
		return "", nil, err
	}
	file, err := os.CreateTemp("", "zester-"+pattern)
	if err != nil {
		return "", nil, err
	}
	clean = func() { _ = os.Remove(file.Name()) }
	if err := fill(file, c, false); err != nil {
		clean()
		return "", nil, err
	}
	return file.Name(), clean, nil
}
