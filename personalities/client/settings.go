package client

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/term"

	"github.com/ptorbus/zester/core/keys"
)

type settingsCommand struct {
	Encrypt settingsEncrypt `cmd:"" help:"Seal a value so that it can stand in a settings file, and in git."`
}

type settingsEncrypt struct {
	Curve string `placeholder:"KEY" help:"Public curve key of the cluster; default read from account.curve or account.seed in the auth directory."`
	File  string `arg:"" optional:"" default:"-" help:"File with the value; default standard input."`
}

// Help is printed by --help.
func (*settingsEncrypt) Help() string {
	return `What it prints stands in a settings file that top.zy gives to a peel by its id:

	echo "password: $(zester settings encrypt < password.txt)" >> /srv/zester/settings/db-01.zy`
}

// Run reads the value and prints it sealed. A trailing newline, which echo adds, is left out.
func (c *settingsEncrypt) Run(s *session) error {
	curve, err := c.key(s)
	if err != nil {
		return err
	}
	value, err := c.value(s)
	if err != nil {
		return err
	}
	value = bytes.TrimSuffix(value, []byte("\n"))
	if len(value) == 0 {
		return errors.New("there is nothing to encrypt: give the value on standard input, e.g. zester settings encrypt < FILE")
	}
	sealed, err := keys.EncryptValue(curve, value)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.stdio.Out, "!encrypted %s\n", sealed)
	return err
}

// value reads what to encrypt; from a terminal one line, which is not shown.
func (c *settingsEncrypt) value(s *session) ([]byte, error) {
	if c.File != "-" {
		value, err := os.ReadFile(c.File)
		return value, fileError(err)
	}
	if f, ok := s.stdio.In.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(s.stdio.Err, "value (it is not shown): ")
		value, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(s.stdio.Err)
		return value, err
	}
	return io.ReadAll(s.stdio.In)
}

// key finds the public key to seal to: it is no secret, and sealing needs nothing else.
func (c *settingsEncrypt) key(s *session) (string, error) {
	if c.Curve != "" {
		return c.Curve, nil
	}
	dir := s.settings.AuthDir
	if data, err := os.ReadFile(filepath.Join(dir, "account.curve")); err == nil {
		return string(bytes.TrimSpace(data)), nil
	}
	account, err := keys.LoadAccount(filepath.Join(dir, "account.seed"))
	if err != nil {
		return "", fmt.Errorf("no key to encrypt to: give it with --curve, or name the directory of account.curve with --auth-dir")
	}
	return account.Curve(), nil
}
