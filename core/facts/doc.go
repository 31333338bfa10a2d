// Package facts collects what a peel knows about its host, publishes it when it changes, and keeps the masters' index of
// everybody's facts for targets.
//
// Facts are plain data under flat names, as Salt's grains, with lower-case values where the values are a vocabulary (os,
// os_family, kernel, init, virtual); network, disk, memory, cpu and custom are maps. Nothing in them changes by itself from one
// minute to the next, so a set is published when the host has changed and at no other time. Collect runs no commands, asks no
// network and leaves out what it cannot read; only custom facts may run programs, those of the host's own facts directory.
//
// Facts are what a peel says about itself: good for choosing where to act, not for deciding who may see a secret. An Index takes them
// within limits of size, depth and number, and refuses what is beyond.
package facts
