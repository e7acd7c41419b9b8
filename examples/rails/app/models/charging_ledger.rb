# What happened at the stations, one JSON object a line, so that an app that was restarted still knows it.
#
# A file keeps the example free of a database. With one, `book` is an insert into a table that has a unique index on
# station, message id and payload, and the row that was there already when the index refuses it.
class ChargingLedger
  include Singleton

  def initialize
    @path = Rails.configuration.x.ledger
    FileUtils.mkdir_p(File.dirname(@path))
    @file = File.open(@path, "a").tap { |file| file.sync = true }
    @reader = File.open(@path)
    @bookings = {}
    @mutex = Mutex.new
  end

  # Notes that something happened, as often as it does.
  def record(event, **fields)
    exclusively { write(event:, **fields) }
  end

  # Books what may count only once, and numbers it. A station sends a message again when it has missed the answer, and
  # the bridge performs it again ("attempt": 2) when it cannot know whether the app has had it: that is noted as a
  # duplicate of the first booking. The payload is part of the key, as some stations count their message ids from 1
  # after each start.
  def book(event, station:, id:, payload:, **fields)
    exclusively do
      first = @bookings[[station, id, payload]]
      number = first ? {number: first["number"], duplicate: true} : {number: @bookings.size + 1}
      entry = write(event:, station:, id:, **number, **fields, payload:)
      first || entry
    end
  end

  # The first entry for which the block is true, or nil when there is none after that many seconds.
  def wait_for(seconds)
    deadline = now + seconds
    File.open(@path) do |file|
      loop do
        file.flock(File::LOCK_SH)
        found = file.each_line.lazy.map { |line| JSON.parse(line) }.find { |entry| yield entry }
        file.flock(File::LOCK_UN)
        return found if found || now > deadline

        sleep 0.05
      end
    end
  end

  private

  # One at a time, among this process's threads and among the processes that share the file.
  def exclusively
    @mutex.synchronize do
      @file.flock(File::LOCK_EX)
      @reader.each_line { |line| keep(JSON.parse(line)) }
      yield
    ensure
      @file.flock(File::LOCK_UN)
    end
  end

  def keep(entry)
    @bookings[entry.values_at("station", "id", "payload")] = entry if entry["number"] && !entry["duplicate"]
  end

  def write(**fields)
    line = {at: Time.now.utc.iso8601(3), **fields}.to_json
    @file.write("#{line}\n")
    JSON.parse(line)
  end

  def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
end
