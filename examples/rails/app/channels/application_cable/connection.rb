module ApplicationCable
  # A station's WebSocket. The bridge passes on the path and the headers of the station's own request.
  class Connection < ActionCable::Connection::Base
    identified_by :station_id

    def connect
      self.station_id = Rack::Utils.unescape_path(request.path.split("/").last.to_s)
      reject_unauthorized_connection unless known? && authenticated?

      ChargingLedger.instance.record("connected", station: station_id)
    end

    def disconnect
      ChargingLedger.instance.record("disconnected", station: station_id)
    end

    private

    def known?
      stations = Rails.configuration.x.stations
      station_id.present? && (stations.nil? || stations.include?(station_id))
    end

    # OCPP security profiles 1 and 2: HTTP Basic, with the station id as the user name.
    def authenticated?
      password = Rails.configuration.x.station_password or return true
      basic = Rack::Auth::Basic::Request.new(request.env)
      return false unless basic.provided? && basic.basic?

      ActiveSupport::SecurityUtils.secure_compare(basic.credentials.join(":"), "#{station_id}:#{password}")
    end
  end
end
