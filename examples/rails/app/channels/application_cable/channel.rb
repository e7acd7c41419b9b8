module ApplicationCable
  # What both channel classes share. All of it is private: a public method would be an action that stations can call.
  class Channel < ActionCable::Channel::Base
    after_subscribe { ledger.record("subscribed", station: station_id, sn: params["sn"]) }
    after_unsubscribe { ledger.record("unsubscribed", station: station_id, sn: params["sn"]) }

    private

    # The command has to be "Ack": that is how the bridge knows an answer from a remote command.
    def transmit_ack(id:, **payload)
      transmit({command: :Ack, id:, payload:})
    end

    def record(data)
      ledger.record(data["command"].underscore, station: station_id, **fields(data))
    end

    # For what costs money. Returns the booking; a message that comes twice gets the booking of the first time.
    def book(data)
      ledger.book(data["command"].underscore, station: station_id, **fields(data))
    end

    def id_tag_info(data)
      tags = Rails.configuration.x.id_tags
      {status: tags.nil? || tags.include?(data.dig("payload", "idTag")) ? "Accepted" : "Invalid"}
    end

    def fields(data) = data.except("action", "command").symbolize_keys

    def ledger = ChargingLedger.instance
  end
end
