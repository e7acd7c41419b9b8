# The real gem at the other end of the contract: one Rails process, in the bundle of examples/rails, that takes the same
# calls over gRPC (ANYCABLE_RPC_HOST) and over HTTP (the port given). It ends with the process that started it.
require "socket"
require "stringio"
require "./config/environment"
require "anycable/cli"

class ContractConnection < ActionCable::Connection::Base
  identified_by :station_id, :role
  state_attr_accessor :last_seen

  def connect
    self.station_id = request.path.split("/").last
    raise "boom in connect ⚡" if station_id == "RAISES"
    reject_unauthorized_connection if station_id == "REFUSED"
    return close(reason: "not_found", reconnect: false) if station_id == "UNKNOWN"
    self.role = "ev"
    self.last_seen = {"url" => request.url, "ip" => request.ip, "authorization" => request.headers["Authorization"]}
  end

  def disconnect = ContractChannel.told << ["disconnect", station_id, last_seen]
end

# What a middleware of the app sees of a call.
class Traced < AnyCable::Middleware
  class_attribute :traceparent

  def call(_, _, metadata)
    self.class.traceparent = metadata["traceparent"]
    yield
  end
end

class ContractChannel < ActionCable::Channel::Base
  # What was performed and ended, in order, by all sessions.
  class_attribute :told, default: Thread::Queue.new

  state_attr_accessor :boots

  def subscribed
    raise "sub failed" if params["sn"] == "raises"
    stream_for "ev/#{params["sn"]}"
    return reject if params["sn"] == "rejected"
    stream_from "all_stations"
    transmit({sn: params["sn"]})
    self.boots = 0
  end

  def unsubscribed = told << ["unsubscribed", params["sn"], boots]

  def boot_notification(data)
    self.boots = boots.to_i + 1
    told << data["id"]
    transmit({command: :Ack, id: data["id"], payload: {boots: boots, at: Time.utc(2026, 1, 2, 3, 4, 5), text: data["text"]}})
  end

  # What the station has shown to the app at Connect, or the trace that the call belongs to.
  def data_transfer(data)
    asked = data.dig("payload", "vendorId") == "trace" ? Traced.traceparent : connection.last_seen["authorization"]
    transmit({command: :Ack, id: data["id"], payload: {status: "Accepted", data: asked}})
  end

  def several(_) = 5.times { |number| transmit({number: number}) }

  def large(data) = transmit({text: "x" * data["bytes"]})

  def length(data) = transmit({length: data["text"].length})

  def silent = nil

  def raises = raise("boom ⚡")

  def forget = self.boots = nil

  def see = connection.last_seen = {"t" => 1}

  def stop_one = stop_stream_from("all_stations")

  def stop_all
    stop_all_streams
    stream_from "größe"
  end

  def close = connection.close(reason: "bye", reconnect: false)

  def tell = transmit({told: Array.new(told.size) { told.pop }})
end

def answer(app, socket)
  while (line = socket.gets)
    method, target = line.split
    env = {"REQUEST_METHOD" => method, "SCRIPT_NAME" => "", "SERVER_NAME" => "127.0.0.1", "SERVER_PORT" => "80",
           "SERVER_PROTOCOL" => "HTTP/1.1", "rack.url_scheme" => "http", "rack.errors" => $stderr}
    env["PATH_INFO"], env["QUERY_STRING"] = "#{target}?".split("?", 2)
    until (field = socket.gets.chomp).empty?
      name, value = field.split(": ", 2)
      name = name.upcase.tr("-", "_")
      env[%w[CONTENT_TYPE CONTENT_LENGTH].include?(name) ? name : "HTTP_#{name}"] = value
    end
    env["rack.input"] = StringIO.new(socket.read(env["CONTENT_LENGTH"].to_i).b)
    status, _, parts = app.call(env)
    body = +""
    parts.each { |part| body << part }
    parts.close if parts.respond_to?(:close)
    socket.write("HTTP/1.1 #{status} OK\r\ncontent-length: #{body.bytesize}\r\n\r\n", body)
  end
rescue SystemCallError
  nil
ensure
  socket.close
end

parent = Process.ppid
ActionCable.server.config.connection_class = -> { ContractConnection }
if (interval = ENV["MIN_PING_INTERVAL_MS"])
  AnyCable.config.rpc_server_args = {"grpc.http2.min_ping_interval_without_data_ms" => interval.to_i}
end
AnyCable.middleware.use(Traced)
AnyCable::CLI.embed!
server = TCPServer.new("127.0.0.1", Integer(ARGV.fetch(0)))
Thread.new { loop { Thread.new(server.accept) { |socket| answer(Rails.application, socket) } } }
puts "the app takes calls"
$stdout.flush
sleep 0.2 while Process.ppid == parent
