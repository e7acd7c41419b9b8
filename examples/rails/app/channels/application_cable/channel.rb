module ApplicationCable
  # Shared by both channel classes. All methods are private: a public method would be an action that stations can call.
  class Channel < ActionCable::Channel::Base
    after_subscribe { ledger.record("subscribed", station: station_id, sn: params["sn"]) }
    after_unsubscribe { ledger.record("unsubscribed", station: station_id, sn: params["sn"]) }

    private

    # The command must be "Ack", by which the bridge tells an answer from a remote command.
    def transmit_ack(id:, **payload)
      transmit({command: :Ack, id:, payload:})
    end

    def record(data)
      ledger.record(data["command"].underscore, station: station_id, **fields(data))
    end

    # For everything that costs money. Returns the booking; for a repeated message, that of the first time.
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
