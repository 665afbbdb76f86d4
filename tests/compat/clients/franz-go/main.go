// franz-go for the compatibility tests: see tests/support/program-client.ts for what each command does.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const timeout = 30 * time.Second

type record struct {
	Key     string            `json:"key"`
	Value   string            `json:"value"`
	Headers map[string]string `json:"headers"`
}

var codecs = map[string]kgo.CompressionCodec{
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

func main() {
	bootstrap, command, arguments := os.Args[1], os.Args[2], os.Args[3:]
	commands := map[string]func(context.Context, kgo.Opt, []string) error{
		"create": create, "delete": remove, "topics": topics, "produce": produce, "consume": consume,
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if err := commands[command](ctx, kgo.SeedBrokers(strings.Split(bootstrap, ",")...), arguments); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func admin(seeds kgo.Opt) (*kadm.Client, error) {
	client, err := kgo.NewClient(seeds)
	if err != nil {
		return nil, err
	}
	return kadm.NewClient(client), nil
}

func create(ctx context.Context, seeds kgo.Opt, arguments []string) error {
	client, err := admin(seeds)
	if err != nil {
		return err
	}
	defer client.Close()
	partitions, _ := strconv.Atoi(arguments[1])
	replicas, _ := strconv.Atoi(arguments[2])
	_, err = client.CreateTopic(ctx, int32(partitions), int16(replicas), nil, arguments[0])
	return err
}

func remove(ctx context.Context, seeds kgo.Opt, arguments []string) error {
	client, err := admin(seeds)
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = client.DeleteTopic(ctx, arguments[0])
	return err
}

func topics(ctx context.Context, seeds kgo.Opt, _ []string) error {
	client, err := admin(seeds)
	if err != nil {
		return err
	}
	defer client.Close()
	found, err := client.ListTopics(ctx)
	if err != nil {
		return err
	}
	names := found.Names()
	slices.Sort(names)
	for _, name := range names {
		print(map[string]string{"topic": name})
	}
	return nil
}

func produce(ctx context.Context, seeds kgo.Opt, arguments []string) error {
	client, err := kgo.NewClient(seeds, kgo.DefaultProduceTopic(arguments[0]), kgo.ProducerBatchCompression(codecs[arguments[1]]))
	if err != nil {
		return err
	}
	defer client.Close()
	var records []*kgo.Record
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var line record
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return err
		}
		next := &kgo.Record{Key: []byte(line.Key), Value: []byte(line.Value)}
		for name, value := range line.Headers {
			next.Headers = append(next.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
		}
		records = append(records, next)
	}
	return client.ProduceSync(ctx, records...).FirstErr()
}

func consume(ctx context.Context, seeds kgo.Opt, arguments []string) error {
	count, _ := strconv.Atoi(arguments[2])
	client, err := kgo.NewClient(seeds, kgo.ConsumeTopics(arguments[0]), kgo.ConsumerGroup(arguments[1]),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit())
	if err != nil {
		return err
	}
	defer client.Close()
	var read []*kgo.Record
	for len(read) < count {
		fetches := client.PollRecords(ctx, count-len(read))
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("%d of %d records read: %w", len(read), count, err)
		}
		read = append(read, fetches.Records()...)
	}
	for _, next := range read {
		headers := map[string]string{}
		for _, header := range next.Headers {
			headers[header.Key] = string(header.Value)
		}
		print(record{Key: string(next.Key), Value: string(next.Value), Headers: headers})
	}
	return client.CommitRecords(ctx, read...)
}

func print(line any) {
	bytes, _ := json.Marshal(line)
	fmt.Println(string(bytes))
}
