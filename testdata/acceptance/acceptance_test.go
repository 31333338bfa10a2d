//go:build acceptance

package acceptance

import "testing"

// TestDeployment goes through the life of a small installation. Each step builds on those before it, so the first that
// fails is the last.
func TestDeployment(t *testing.T) {
	f := bootFleet(t)
	for _, step := range []struct {
		name string
		run  func(*testing.T, *fleet)
	}{
		{"install the binaries", installBinaries},
		{"create the accounts", createAccounts},
		{"bootstrap", bootstrap},
		{"configure", configure},
		{"verify the units", verifyUnits},
		{"start the services", startServices},
		{"enroll", enroll},
		{"file modes and owners", fileModes},
		{"facts and targets", facts},
		{"apply states", applyStates},
		{"a confined peel", confined},
		{"processes", processes},
		{"reboot", reboot},
		{"a peel restarts itself", restartItself},
		{"restart NATS and the master", restartServices},
		{"upgrade", upgrade},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.run(t, f) }) {
			t.FailNow()
		}
	}
}
