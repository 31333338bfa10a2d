package render

import "time"

var timeMethods map[string]methodFunc

func (t *timeValue) property(name string) (any, bool) { return nil, false }
func strftime(t time.Time, layout string) string      { return layout }
