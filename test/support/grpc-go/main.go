// A gRPC server of grpc-go in front of an app: passes each unary call on as it is, and the reply back.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
)

// Messages stay the bytes that they are.
type bytesCodec struct{}

func (bytesCodec) Marshal(message interface{}) ([]byte, error) { return *message.(*[]byte), nil }

func (bytesCodec) Unmarshal(bytes []byte, message interface{}) error {
	*message.(*[]byte) = bytes
	return nil
}

func (bytesCodec) Name() string   { return "proto" }
func (bytesCodec) String() string { return "proto" }

// What the connection to the app sets itself.
var ownHeaders = []string{"content-type", "user-agent", "te"}

func passedOn(ctx context.Context) context.Context {
	headers, _ := metadata.FromIncomingContext(ctx)
	headers = headers.Copy()
	for name := range headers {
		if strings.HasPrefix(name, ":") || strings.HasPrefix(name, "grpc-") {
			delete(headers, name)
		}
	}
	for _, name := range ownHeaders {
		delete(headers, name)
	}
	return metadata.NewOutgoingContext(ctx, headers)
}

func main() {
	app := flag.String("app", "", "host:port of the app")
	age := flag.Duration("max-connection-age", 0, "0 for no limit")
	flag.Parse()

	connection, err := grpc.Dial(*app, grpc.WithInsecure(), grpc.WithDefaultCallOptions(grpc.ForceCodec(bytesCodec{})))
	if err != nil {
		log.Fatal(err)
	}
	handle := func(_ interface{}, stream grpc.ServerStream) error {
		method, _ := grpc.MethodFromServerStream(stream)
		var request, reply []byte
		if err := stream.RecvMsg(&request); err != nil {
			return err
		}
		if err := connection.Invoke(passedOn(stream.Context()), method, &request, &reply); err != nil {
			return err
		}
		return stream.SendMsg(&reply)
	}
	server := grpc.NewServer(
		grpc.CustomCodec(bytesCodec{}),
		grpc.UnknownServiceHandler(handle),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: *age, MaxConnectionAgeGrace: 10 * time.Second}),
	)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listens at %s\n", listener.Addr())
	log.Fatal(server.Serve(listener))
}
