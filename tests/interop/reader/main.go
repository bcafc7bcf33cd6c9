// Reads a log as any transparency client does: checkpoint, tiles and entry bundles over HTTP, and nothing of ours.
//
//	reader LOG-URL LOG-VKEY WITNESS-VKEY [OLD-CHECKPOINT-FILE]
//
// Every parser, tile reader, proof and signature check below is of transparency-dev (Tessera) and golang.org/x/mod.
// The newest checkpoint goes to standard output; what was checked, to standard error. Exit code 1: something is wrong.
package main

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"net/url"
	"os"

	fnote "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	ctx := context.Background()
	verifier := must(note.NewVerifier(os.Args[2]))
	witness := must(fnote.NewVerifierForCosignatureV1(os.Args[3]))
	fetcher := must(client.NewHTTPFetcher(must(url.Parse(os.Args[1])), nil))

	checkpoint, raw, _, err := client.FetchCheckpoint(ctx, fetcher.ReadCheckpoint, verifier, verifier.Name())
	if err != nil {
		log.Fatal(err)
	}
	signed := must(note.Open(raw, note.VerifierList(verifier, witness)))
	if len(signed.Sigs) != 2 {
		log.Fatalf("%d known signatures, expected the log's and the witness's", len(signed.Sigs))
	}
	fmt.Fprintf(os.Stderr, "checkpoint of %d entries: signatures of %s and %s\n", checkpoint.Size, verifier.Name(), witness.Name())
	tree := must(tlog.ParseTree([]byte("go.sum database tree\n" + afterOrigin(signed.Text))))
	if tree.N != int64(checkpoint.Size) || !bytes.Equal(tree.Hash[:], checkpoint.Hash) {
		log.Fatal("golang.org/x/mod reads another tree")
	}

	proofs := must(client.NewProofBuilder(ctx, checkpoint.Size, fetcher.ReadTile))
	var bundle api.EntryBundle
	for index := uint64(0); index < checkpoint.Size; index++ {
		if index%256 == 0 {
			bundle = must(client.GetEntryBundle(ctx, fetcher.ReadEntryBundle, index/256, checkpoint.Size))
		}
		leaf := rfc6962.DefaultHasher.HashLeaf(bundle.Entries[index%256])
		path := must(proofs.InclusionProof(ctx, index))
		if err := proof.VerifyInclusion(rfc6962.DefaultHasher, index, checkpoint.Size, leaf, path, checkpoint.Hash); err != nil {
			log.Fatalf("entry %d: %v", index, err)
		}
		record := make(tlog.RecordProof, len(path))
		for i, step := range path {
			copy(record[i][:], step)
		}
		if err := tlog.CheckRecord(record, tree.N, tree.Hash, int64(index), tlog.Hash(leaf)); err != nil {
			log.Fatalf("entry %d: %v", index, err)
		}
	}
	fmt.Fprintf(os.Stderr, "inclusion of %d entries\n", checkpoint.Size)

	hashes := func(data []byte) ([][]byte, error) {
		bundle := api.EntryBundle{}
		if err := bundle.UnmarshalText(data); err != nil {
			return nil, err
		}
		found := make([][]byte, len(bundle.Entries))
		for i, entry := range bundle.Entries {
			found[i] = rfc6962.DefaultHasher.HashLeaf(entry)
		}
		return found, nil
	}
	if err := fsck.New(verifier.Name(), verifier, fetcher, hashes, fsck.Opts{N: 2}).Check(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Fprintln(os.Stderr, "fsck: every tile and the root follow from the entries")

	if len(os.Args) > 4 {
		old := must(os.ReadFile(os.Args[4]))
		tracker := must(client.NewLogStateTracker(
			ctx, fetcher.ReadTile, old, verifier, verifier.Name(), client.UnilateralConsensus(fetcher.ReadCheckpoint)))
		before := tracker.Latest()
		_, path, _, err := tracker.Update(ctx)
		if err != nil {
			log.Fatal(err)
		}
		after := tracker.Latest()
		if err := proof.VerifyConsistency(
			rfc6962.DefaultHasher, before.Size, after.Size, path, before.Hash, after.Hash); err != nil {
			log.Fatal(err)
		}
		fmt.Fprintf(os.Stderr, "consistency from %d to %d\n", before.Size, after.Size)
	}
	os.Stdout.Write(raw)
}

// afterOrigin drops the first line: tlog.ParseTree knows one origin only, that of the Go checksum database.
func afterOrigin(text string) string {
	for i := range text {
		if text[i] == '\n' {
			lines := bytes.SplitAfterN([]byte(text[i+1:]), []byte("\n"), 3)
			return string(lines[0]) + string(lines[1])
		}
	}
	return text
}
