# Something the app asks of a station, by the serial number under which the station subscribed.
class RemoteCommand
  def initialize(sn, command, **payload)
    @sn, @command, @payload = sn, command, payload
    @id = SecureRandom.uuid
  end

  # Returns the ledger's entry of the station's answer ("ack" or "error"), or nil when none came in that many seconds.
  # The bridge waits 30 seconds for a station before it reports an error, so it pays to wait a little longer here.
  def call(wait: 35)
    OCPPChannel.broadcast_to("ev/#{@sn}", {command: @command, id: @id, payload: @payload})
    ChargingLedger.instance.wait_for(wait) { |entry| entry["id"] == @id && entry["event"].in?(%w[ack error]) }
  end
end
