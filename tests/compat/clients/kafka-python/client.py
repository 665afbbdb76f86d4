"""kafka-python for the compatibility tests: see tests/support/program-client.ts for what each command does."""

import json
import sys

from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

CONSUME_TIMEOUT_MS = 30_000


def create(bootstrap, topic, partitions, replicas):
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics([NewTopic(topic, num_partitions=int(partitions), replication_factor=int(replicas))])
    admin.close()


def delete(bootstrap, topic):
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.delete_topics([topic])
    admin.close()


def topics(bootstrap):
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    for topic in sorted(admin.list_topics()):
        print(json.dumps({"topic": topic}))
    admin.close()


def produce(bootstrap, topic, codec):
    producer = KafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=True,
        compression_type=None if codec == "none" else codec,
        linger_ms=5,
    )
    sent = []
    for line in sys.stdin:
        record = json.loads(line)
        headers = [(name, value.encode()) for name, value in record["headers"].items()]
        sent.append(producer.send(topic, key=record["key"].encode(), value=record["value"].encode(), headers=headers))
    producer.flush()
    for future in sent:
        future.get(timeout=10)
    producer.close()


def consume(bootstrap, topic, group, count):
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        consumer_timeout_ms=CONSUME_TIMEOUT_MS,
    )
    left = int(count)
    for record in consumer:
        headers = {name: value.decode() for name, value in record.headers}
        print(json.dumps({"key": record.key.decode(), "value": record.value.decode(), "headers": headers}))
        left -= 1
        if left == 0:
            break
    consumer.commit()
    consumer.close()
    if left > 0:
        sys.exit(f"{left} records were not there within {CONSUME_TIMEOUT_MS} ms")


bootstrap_servers, command, *arguments = sys.argv[1:]
commands = {"create": create, "delete": delete, "topics": topics, "produce": produce, "consume": consume}
commands[command](bootstrap_servers.split(","), *arguments)
