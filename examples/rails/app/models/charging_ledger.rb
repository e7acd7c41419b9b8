# The events of all stations, one JSON object per line. A file, so that bookings survive a restart of the app.
#
# The example needs no database. With a database, `book` is `Booking.create_or_find_by!(key:)` on a table with a unique
# index on `key`.
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

  # Records an event, every time.
  def record(event, **fields)
    exclusively { write(event:, **fields) }
  end

  # Books an event exactly once, with a number. A station that missed the answer retries its message, perhaps under a new
  # id, and the bridge performs it again if it cannot know whether the app has run it. `key` is the same each time; `book`
  # records the repeat as a duplicate of the first booking.
  def book(event, key:, **fields)
    exclusively do
      first = @bookings[key]
      number = first ? {number: first["number"], duplicate: true} : {number: @bookings.size + 1}
      entry = write(event:, key:, **number, **fields)
      first || entry
    end
  end

  # Returns the first entry for which the block is true, or nil after a timeout in seconds.
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

  # Locks out the other threads of this process and the other processes that share the file.
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
    @bookings[entry["key"]] = entry if entry["number"] && !entry["duplicate"]
  end

  def write(**fields)
    line = {at: Time.now.utc.iso8601(3), **fields}.to_json
    @file.write("#{line}\n")
    JSON.parse(line)
  end

  def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
end
