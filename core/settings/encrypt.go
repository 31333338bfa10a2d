package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/keys"
)

// PublicKeyFile is the name, in the auth directory, of the file with the account's public curve key: all that encrypting
// values takes. It is no secret.
const PublicKeyFile = "settings.pub"

// maxSecret bounds a value to encrypt; the settings of a peel have to fit one message.
const maxSecret = 256 << 10

// Encrypt reads a value, without the newline that may end it, and returns it as it is written into a settings file:
//
//	password: !encrypted zester:v1:...
func Encrypt(curve string, in io.Reader) (string, error) {
	plain, err := io.ReadAll(io.LimitReader(in, maxSecret+1))
	if err != nil {
		return "", fmt.Errorf("read the value to encrypt: %w", err)
	}
	if len(plain) > maxSecret {
		return "", fmt.Errorf("the value to encrypt has more than %d bytes", maxSecret)
	}
	plain = bytes.TrimSuffix(bytes.TrimSuffix(plain, []byte("\n")), []byte("\r"))
	if len(plain) == 0 {
		return "", errors.New("there is no value to encrypt: give it on the standard input")
	}
	text, err := keys.EncryptValue(curve, plain)
	if err != nil {
		return "", err
	}
	return "!encrypted " + text, nil
}

// WritePublicKey writes the file that ReadPublicKey reads.
func WritePublicKey(path, curve string) error {
	return config.WriteFile(path, []byte(curve+"\n"), 0o644)
}

// ReadPublicKey reads an account's public curve key.
func ReadPublicKey(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("public key for settings: %w: copy it from a master's auth directory", err)
	}
	curve := string(bytes.TrimSpace(data))
	if len(curve) != 56 || curve[0] != 'X' {
		return "", fmt.Errorf("%s: %.60q is not a public curve key (\"X...\")", path, curve)
	}
	return curve, nil
}
