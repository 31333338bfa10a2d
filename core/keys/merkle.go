package keys

import "crypto/sha256"

// A Merkle tree over a command's targets: one signature of the root serves them all, and each
// peel's delivery carries the few hashes that lead from its id to the root.

type digest [sha256.Size]byte

// Different first bytes keep a node from passing as a leaf.
func leafHash(id string) digest {
	buf := make([]byte, 1, 1+128)
	return sha256.Sum256(append(buf, id...))
}

func nodeHash(left, right digest) digest {
	var buf [1 + 2*sha256.Size]byte
	buf[0] = 1
	copy(buf[1:], left[:])
	copy(buf[1+sha256.Size:], right[:])
	return sha256.Sum256(buf[:])
}

// tree holds all levels, leaves first, so that a proof is a walk and no computation. A node
// without a partner moves up as it is.
type tree [][]digest

func newTree(ids []string) tree {
	level := make([]digest, len(ids))
	for i, id := range ids {
		level[i] = leafHash(id)
	}
	t := tree{level}
	for len(level) > 1 {
		up := make([]digest, (len(level)+1)/2)
		for i := range up {
			if 2*i+1 < len(level) {
				up[i] = nodeHash(level[2*i], level[2*i+1])
			} else {
				up[i] = level[2*i]
			}
		}
		t = append(t, up)
		level = up
	}
	return t
}

func (t tree) root() digest { return t[len(t)-1][0] }

// appendProof adds the partners on the way from leaf i to the root.
func (t tree) appendProof(dst []byte, i int) []byte {
	for _, level := range t[:len(t)-1] {
		if partner := i ^ 1; partner < len(level) {
			dst = append(dst, level[partner][:]...)
		}
		i /= 2
	}
	return dst
}

// proofHashes is how many partners leaf i of n has.
func proofHashes(i, n uint32) int {
	hashes := 0
	for ; n > 1; i, n = i/2, n/2+n%2 {
		if i^1 < n {
			hashes++
		}
	}
	return hashes
}

// provenRoot walks from a leaf up. The proof must have exactly proofHashes(i, n) hashes.
func provenRoot(leaf digest, i, n uint32, proof []byte) digest {
	for ; n > 1; i, n = i/2, n/2+n%2 {
		if i^1 >= n {
			continue
		}
		partner := digest(proof[:sha256.Size])
		proof = proof[sha256.Size:]
		if i%2 == 0 {
			leaf = nodeHash(leaf, partner)
		} else {
			leaf = nodeHash(partner, leaf)
		}
	}
	return leaf
}
