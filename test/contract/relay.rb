# The gem's own gRPC server, of grpc-core, in front of an app of the test's: passes each call on, and the reply back. Without
# Rails and the gem's middlewares, which reply by themselves (app.rb has both). It ends with the process that started it.
require "anycable"
require "anycable/grpc"

# What the connection to the app sets itself.
OWN_HEADERS = /\A(:.*|grpc-.*|user-agent|content-type|te|accept-encoding)\z/

class Relay
  def initialize(app) = @stub = AnyCable::GRPC::Stub.new(app, :this_channel_is_insecure)

  def handle(method, request, metadata)
    @stub.public_send(method, request, metadata: metadata.reject { |name, _| OWN_HEADERS.match?(name) })
  end
end

parent = Process.ppid
AnyCable.rpc_handler = Relay.new(ENV.fetch("RELAYED_APP"))
AnyCable.server_builder.call(AnyCable.config).start
puts "the app takes calls"
$stdout.flush
sleep 0.2 while Process.ppid == parent
