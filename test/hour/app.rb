# An app behind the real gem that counts what it performs. The message ids of each station end in 1, 2, 3 …, and its
# calls come one after another: a number that comes again is doubled, and one that is left out is lost. SIGUSR2 prints the
# counts.
require "./config/environment"
require "anycable/cli"

class HourConnection < ActionCable::Connection::Base
  identified_by :station_id

  def connect = self.station_id = request.path.split("/").last
end

class HourChannel < ActionCable::Channel::Base
  # By station: the last number, and the numbers that were lost and doubled.
  Count = Struct.new(:last, :lost, :doubled)
  COUNTS = Hash.new { |counts, station| counts[station] = Count.new(0, 0, 0) }
  LOCK = Mutex.new

  def boot_notification(data) = ack(data, {status: "Accepted", currentTime: Time.now.utc.iso8601, interval: 300})

  def status_notification(data) = ack(data, {})

  private

  def ack(data, payload)
    LOCK.synchronize { count(data["id"]) }
    transmit({command: :Ack, id: data["id"], payload: payload})
  end

  def count(id)
    number = id[/\d+\z/].to_i
    count = COUNTS[connection.station_id]
    return count.doubled += 1 if number <= count.last
    count.lost += number - count.last - 1
    count.last = number
  end
end

# A thread, because a trap may not take a lock.
trap("USR2") do
  Thread.new do
    counts = HourChannel::LOCK.synchronize { HourChannel::COUNTS.transform_values(&:to_h) }
    puts "counts: #{JSON.generate(counts)}"
    $stdout.flush
  end
end

parent = Process.ppid
ActionCable.server.config.connection_class = -> { HourConnection }
AnyCable::CLI.embed!
puts "the app takes calls"
$stdout.flush
sleep 0.2 while Process.ppid == parent
