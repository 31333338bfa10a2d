package client

import (
	"errors"
	"strings"
)

// saltFlags are Salt's ways to say how a target is meant. They are known, for fingers that have learned them, and not
// listed: a target says so itself.
type saltFlags struct {
	Compound   bool `short:"C" name:"compound" hidden:""`
	PCRE       bool `short:"E" name:"pcre" hidden:""`
	Grain      bool `short:"G" name:"grain" hidden:""`
	GrainPCRE  bool `short:"P" name:"grain-pcre" hidden:""`
	Pillar     bool `short:"I" name:"pillar" hidden:""`
	PillarPCRE bool `short:"J" name:"pillar-pcre" hidden:""`
	List       bool `short:"L" name:"list" hidden:""`
	Nodegroup  bool `short:"N" name:"nodegroup" hidden:""`
	IPCIDR     bool `short:"S" name:"ipcidr" hidden:""`
}

// target is the one that was meant.
func (f *saltFlags) target(text string) (string, error) {
	var matcher string
	given := 0
	for _, flag := range []struct {
		set     bool
		matcher string
	}{
		{f.Compound, ""}, {f.PCRE, "E@"}, {f.Grain, "G@"}, {f.GrainPCRE, "P@"}, {f.Pillar, "I@"}, {f.PillarPCRE, "J@"}, {f.List, "L@"}, {f.Nodegroup, "N@"}, {f.IPCIDR, "S@"},
	} {
		if flag.set {
			matcher = flag.matcher
			given++
		}
	}
	if given > 1 {
		return "", errors.New("one flag says how a target is meant; several kinds are one target: 'G@os:debian and L@web-01,web-02'")
	}
	if strings.HasPrefix(text, matcher) {
		return text, nil
	}
	return matcher + text, nil
}
