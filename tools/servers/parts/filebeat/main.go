// Filebeat (its open source part) as a test client, built from the published Go module.
package main

import (
	"os"

	"github.com/elastic/beats/v7/filebeat/cmd"
	inputs "github.com/elastic/beats/v7/filebeat/input/default-inputs"
)

func main() {
	settings := cmd.FilebeatSettings()
	if err := cmd.Filebeat(inputs.Init, settings).Execute(); err != nil {
		os.Exit(1)
	}
}
