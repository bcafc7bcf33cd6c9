// A stock witness: the tlog-witness handler of github.com/transparency-dev/witness over its in-memory persistence.
//
//	witness ADDRESS LOG-VKEY WITNESS-SKEY
//
// It prints "ready URL" when it listens. Nothing here judges a checkpoint; the imported package does.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"

	fnote "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/witness/persistence/inmemory"
	"github.com/transparency-dev/witness/witness"
	"golang.org/x/mod/sumdb/note"
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
	signer := must(fnote.NewSignerForCosignatureV1(os.Args[3]))
	made := must(witness.New(ctx, witness.Opts{
		Persistence: inmemory.New(),
		Signers:     []note.Signer{signer},
		VerifierForLog: func(_ context.Context, origin string) (note.Verifier, bool, error) {
			return verifier, origin == verifier.Name(), nil
		},
	}))
	listener := must(net.Listen("tcp", os.Args[1]))
	fmt.Printf("ready http://%s\n", listener.Addr())
	http.HandleFunc("POST /add-checkpoint", witness.NewHTTPHandler(made).AddCheckpoint)
	log.Fatal(http.Serve(listener, nil))
}
