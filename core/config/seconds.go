package config

import (
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/alecthomas/kong"
)

// seconds reads flags of type:"seconds": durations that may also be written as a bare number of seconds, as Salt's
// users write their timeouts.
var seconds kong.MapperFunc = func(ctx *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := ctx.Scan.PopValueInto("duration", &text); err != nil {
		return err
	}
	full := text
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		full += "s"
	}
	d, err := time.ParseDuration(full)
	if err != nil {
		return fmt.Errorf("want a duration such as 90, 90s or 5m, got %q", text)
	}
	target.SetInt(int64(d))
	return nil
}
